#!/usr/bin/env bash
# Trains twice, once without a disturbance and once killed with SIGKILL several times between two checkpoints and resumed, and compares
# the weights and results.json of the two byte by byte.
#   docs/results/fault-drill/drill.sh FOLDER KILLS PROGRAM train ARGUMENT..., such as
#   docs/results/fault-drill/drill.sh runs/drill 3 target/release/fal train --config configs/fal/fat.toml
set -euo pipefail
folder=$1 kills=$2 program=$3 command=$4
shift 4
rows() { [ -e "$folder/killed/metrics.jsonl" ] && wc -l <"$folder/killed/metrics.jsonl" || echo 0; }

mkdir -p "$folder"
"$program" "$command" "$@" --out "$folder/whole" >"$folder/whole.log" 2>&1
all=$(wc -l <"$folder/whole/metrics.jsonl")
for kill in $(seq "$kills"); do
    if [ -e "$folder/killed/config.toml" ]; then
        "$program" "$command" --resume --out "$folder/killed" >>"$folder/killed.log" 2>&1 &
    else
        "$program" "$command" "$@" --out "$folder/killed" >"$folder/killed.log" 2>&1 &
    fi
    until [ "$(rows)" -gt $((all * kill / (kills + 1))) ]; do
        kill -0 $! || { echo "it ended before it could be killed: train for longer"; exit 1; }
        sleep 0.02
    done
    kill -KILL $!
    wait $! 2>/dev/null || true
    echo "killed with $(rows) of $all rows of metrics written"
done
[ ! -e "$folder/killed/results.json" ] || { echo "it was killed too late to show anything"; exit 1; }
"$program" "$command" --resume --out "$folder/killed" >>"$folder/killed.log" 2>&1

sums() { (cd "$folder/$1" && find . \( -name '*.safetensors' -o -name results.json \) -not -path '*/checkpoints/*' -print0 | sort -z | xargs -0 sha256sum); }
diff <(sums whole) <(sums killed) && echo "the same bits:" && sums killed
