#!/usr/bin/env bash
# The table of CLUTRR: RECKONING, the in-context baseline without and with recall, and the controls, seeds 0, 1 and 2. Runs that are
# finished are not run again. About ten minutes on one core for each run with an inner loop, ten to twelve for the baseline's two stages.
#   docs/results/clutrr/table.sh RECKONING RUNS, such as
#   docs/results/clutrr/table.sh target/release/reckoning runs/clutrr
set -euo pipefail
reckoning=$1
runs=$2
configs=$(dirname "$0")/../../../configs/reckoning

train() { # NAME SEED CONFIG ARGUMENT...
    local out=$runs/$1-$2 seed=$2 config=$3
    shift 3
    [ -e "$out/results.json" ] && return
    local resume=()
    [ -e "$out/config.toml" ] && resume=(--resume)
    if [ ${#resume[@]} -gt 0 ]; then
        "$reckoning" train --resume --out "$out" >>"$out.log" 2>&1
    else
        "$reckoning" train --config "$configs/$config.toml" --set seed="$seed" "$@" --out "$out" >"$out.log" 2>&1
    fi
}

mkdir -p "$runs"
for seed in 0 1 2; do
    train reckoning $seed clutrr
    train language $seed clutrr-language
    train in-context $seed clutrr-in-context --set start_from="$runs/language-$seed/system"
    train language-long $seed clutrr-language --set model.context=112
    train in-context-recall $seed clutrr-in-context --set start_from="$runs/language-long-$seed/system" --set model.context=112 \
        --set 'objective.recall={kind="joint"}'
    train no-facts $seed clutrr --set method=no-facts --set 'objective.recall={kind="none"}'
done
for seed in 0 1 2; do
    train no-question $seed clutrr --set method=no-question
    # With the configuration's recall, of which nothing is left to recall: the target is the answer and an empty recall.
    train random-facts $seed clutrr --set method=random-facts
    # Generated answers and recall of those that recite facts.
    for name in reckoning in-context-recall; do
        [ -e "$runs/$name-$seed-answers/scores.json" ] && continue
        "$reckoning" eval --system "$runs/$name-$seed/system" --config "$runs/$name-$seed/config.toml" --out "$runs/$name-$seed-answers"
    done
done
"$reckoning" report "$runs"/{reckoning,in-context,in-context-recall,no-facts,no-question,random-facts}-[0-2] --out "$runs/report.html" --svg "$runs/figures"
"$(dirname "$0")/table.py" "$runs"
