#!/usr/bin/env bash
# Second order against first order against fixed rates on CLUTRR-SG: 400 steps each, seeds 0, 1 and 2. Runs that are finished are
# not run again. Nine runs of two to nine minutes on one core.
#   docs/results/sg/table.sh RECKONING RUNS, such as
#   docs/results/sg/table.sh target/release/reckoning runs/sg
set -euo pipefail
reckoning=$1
runs=$2
config=$(dirname "$0")/../../../configs/reckoning/sg-2hop.toml

train() { # NAME SEED ARGUMENT...
    local out=$runs/$1-$2 seed=$2
    shift 2
    [ -e "$out/results.json" ] && return
    rm -rf "$out"
    "$reckoning" train --config "$config" --set outer.steps=400 --set evaluation.every=50 --set seed="$seed" "$@" \
        --out "$out" >"$out.log" 2>&1
}

mkdir -p "$runs"
for seed in 0 1 2; do
    train second-order $seed
    train fixed-rates $seed --set inner.fixed_rates=true
    train first-order $seed --set inner.hypergradient.kind=first-order
done
"$reckoning" report "$runs"/{second-order,fixed-rates,first-order}-[0-2] --out "$runs/report.html" --svg "$runs/figures"
