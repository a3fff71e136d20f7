#!/usr/bin/env bash
# Everything that the results say about one world and one seed of slowfast: episodes, autoencoder, inverse dynamics, slow learning, the loops,
# evaluation, and in the built-in worlds planning. On one core four to five hours of training in the built-in
# worlds, two to three in MiniWorld, and the evaluations besides. What is finished is not done again, and a training that was cut off goes on.
#   docs/results/worlds.sh built-in target/release/slowfast runs/built-in 2
# MiniWorld is exported by Python:
#   python3 -m venv venv && venv/bin/pip install -r crates/slowfast/python/requirements.txt
#   PYTHON=venv/bin/python docs/results/worlds.sh miniworld target/release/slowfast runs/miniworld 2
set -euo pipefail
world=$1 slowfast=$2 folder=$3 seed=$4
root=$(dirname "$0")/../..
configs=$root/configs/slowfast
runs=$folder/seed-$seed

exported() { # NAME ARGUMENT...
    local name=$1
    shift
    [ -e "$folder/$name/index.json" ] && return
    if [ ! -e "$folder/$name-episodes" ]; then
        local exported=$folder/$name-episodes.$$
        "${PYTHON:-python3}" "$root/crates/slowfast/python/export_episodes.py" miniworld --out "$exported" --scenes 200 "$@"
        mv "$exported" "$folder/$name-episodes"
    fi
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

steps() { # KEY STEPS
    echo --set "pace.steps=$2" --set "$1.steps=$2"
}

mkdir -p "$runs"
# Other scenes for the loops and the evaluation than for slow learning.
case $world in
built-in)
    "$slowfast" data generate --out "$folder/rooms"
    "$slowfast" data generate --out "$folder/back" --seed 1 --episodes 640 --set there_and_back=1.0 --set actions_there=4 --set test=0.15
    autoencoder_steps=3000 slow_steps=8000 second_order_steps=600 stop_gradient_steps=1500
    sweep=()
    ;;
miniworld)
    exported rooms
    exported back --episodes-per-scene 3 --routes look-away full-turn retrace --actions-there 4 --seed 1
    autoencoder_steps=2000 slow_steps=6000 second_order_steps=400 stop_gradient_steps=750
    sweep=(--set 'sweep.ranks=[8, 32]' --set 'sweep.steps=[1, 4]')
    ;;
*)
    echo "unknown world $world: built-in or miniworld" >&2
    exit 2
    ;;
esac

run train-autoencoder autoencoder --seed "$seed" --config "$configs/autoencoder.toml" --set data="$folder/rooms" $(steps rate $autoencoder_steps)
run train-inverse-dynamics inverse-dynamics --seed "$seed" --data "$folder/rooms"
run train slow --seed "$seed" --config "$configs/slow.toml" --set data="$folder/rooms" --set autoencoder="$runs/autoencoder/autoencoder.safetensors" \
    $(steps slow.rate $slow_steps)
evaluate eval-slow slow eval
evaluate eval-forms slow eval-forms

both=(--seed "$seed" --set data="$folder/back" --set model="$runs/slow/model")
run loop second-order "${both[@]}" --config "$configs/second-order.toml" $(steps slow.rate $second_order_steps)
evaluate eval-second-order second-order eval
# As much time, and the same episodes: those of the other routes come back for less than a chunk, and ask the second-order loop nothing.
run loop stop-gradient "${both[@]}" --config "$configs/stop-gradient.toml" $(steps slow.rate $stop_gradient_steps) --set 'routes=["look-away", "retrace"]'
evaluate eval-stop-gradient stop-gradient eval

# The second-order loop in the other form of fast learning: windows of the whole episode in place of the local rule.
run loop second-order-whole "${both[@]}" --config "$configs/second-order.toml" $(steps slow.rate $second_order_steps) \
    --set method.second_order.fast.form=whole-sequence
evaluate eval-second-order-whole second-order-whole eval

if [ "$world" = built-in ] && [ ! -e "$runs/plan/results.json" ]; then
    resume=(--config "$configs/plan.toml")
    [ -e "$runs/plan/config.toml" ] && resume=(--resume)
    "$slowfast" plan "${resume[@]}" --out "$runs/plan" --inverse-dynamics "$runs/inverse-dynamics" \
        --model slow="$runs/slow" --model stop-gradient="$runs/stop-gradient" --model second-order="$runs/second-order" \
        --model second-order-whole="$runs/second-order-whole"
fi

evaluate eval-sweep slow eval-sweep --set episodes=12 "${sweep[@]}"
evaluate eval-best slow eval-best
