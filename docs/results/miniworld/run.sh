#!/usr/bin/env bash
# Everything that the results say about MiniWorld: episodes, autoencoder, slow learning, both loops, evaluation; some two hours on one core. What is
# finished is not done again, and a training that was cut off goes on.
#   python3 -m venv venv && venv/bin/pip install -r crates/slowfast/python/requirements.txt
#   docs/results/miniworld/run.sh target/release/slowfast venv/bin/python runs/miniworld 0
set -euo pipefail
slowfast=$1 python=$2 folder=$3 seed=$4
root=$(dirname "$0")/../../..
configs=$root/configs/slowfast
runs=$folder/seed-$seed

episodes() { # NAME ARGUMENT...
    local name=$1
    shift
    [ -e "$folder/$name/index.json" ] && return
    "$python" "$root/crates/slowfast/python/export_episodes.py" miniworld --out "$folder/$name-episodes" --scenes 200 "$@"
    "$slowfast" data import "$folder/$name-episodes" --out "$folder/$name"
}

run() { # COMMAND NAME ARGUMENT...
    local command=$1 out=$runs/$2
    shift 2
    [ -e "$out/results.json" ] && return
    if [ -e "$out/config.toml" ]; then
        "$slowfast" "$command" --resume --out "$out"
    else
        "$slowfast" "$command" --out "$out" "$@"
    fi
}

mkdir -p "$runs"
# Other scenes for the loops and the evaluation than for slow learning.
episodes rooms
episodes back --episodes-per-scene 3 --routes look-away full-turn retrace --actions-there 4 --seed 1

run train-autoencoder autoencoder --seed "$seed" --config "$configs/autoencoder.toml" --set data="$folder/rooms" --set pace.steps=2000 --set rate.steps=2000
run train-inverse-dynamics inverse-dynamics --seed "$seed" --data "$folder/rooms"
run train slow --seed "$seed" --config "$configs/slow.toml" --set data="$folder/rooms" --set autoencoder="$runs/autoencoder/autoencoder.safetensors" \
    --set pace.steps=6000 --set slow.rate.steps=6000
for loop in stop-gradient second-order; do
    run loop $loop --seed "$seed" --config "$configs/$loop.toml" --set data="$folder/back" --set model="$runs/slow/model" \
        --set pace.steps=400 --set slow.rate.steps=400
done

evaluate() { # NAME MODEL CONFIG ARGUMENT...
    local out=$runs/$1 config=$configs/$3.toml
    local given=(--model "$runs/$2/model" --data "$folder/back" --inverse-dynamics "$runs/inverse-dynamics" --out "$out")
    shift 3
    [ -e "$out/results.json" ] && return
    if [ -e "$out/config.toml" ]; then
        "$slowfast" eval "${given[@]}" --resume
    else
        "$slowfast" eval "${given[@]}" --config "$config" "$@"
    fi
}

for model in slow stop-gradient second-order; do
    evaluate eval-$model $model eval
done
evaluate eval-forms slow eval-forms
evaluate eval-sweep slow eval-sweep --set episodes=12 --set 'sweep.ranks=[8, 32]' --set 'sweep.steps=[1, 4]'
