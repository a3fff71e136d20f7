#!/usr/bin/env bash
# What forty steps up the margin of Carlini and Wagner leave of FAT and both forms of CalFAT: on Fashion-MNIST with equal shares, the runs that
# calfat.sh left after PASSES and before it goes on. Nine judgements of half a minute. Prints what margins.json has.
#   docs/results/fal-images/margins.sh FAL RUNS PASSES, such as
#   docs/results/fal-images/margins.sh target/release/fal runs/calfat 10
set -euo pipefail
fal=$1
runs=$2
out=$2/at-$3-margin

mkdir -p "$out"
for seed in 0 1 2; do
    for method in fat calfat calfat-scaled; do
        name=fashion-mnist-iid-$method-$seed
        [ -e "$out/$name/results.json" ] && continue
        "$fal" attack --network "$runs/$name" --set evaluation.radius=0.1 --set evaluation.final_samples=500 \
            --set "evaluation.attacks=[{ kind = 'carlini-wagner', steps = 40 }]" --out "$out/$name" >"$out/$name.log" 2>&1
    done
done
"$fal" report --json --out "$out/report.html" "$out"/*-[0-9]
