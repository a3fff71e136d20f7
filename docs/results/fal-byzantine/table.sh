#!/usr/bin/env bash
# The Byzantine table: 20 % and 40 % bad clients of each kind against every aggregator, with and without adversarial
# training. Runs that are finished are not run again. Leaves RUNS/accuracies.json and prints the tables.
#   docs/results/fal-byzantine/table.sh FAL RUNS, such as
#   docs/results/fal-byzantine/table.sh target/release/fal runs/byzantine
set -euo pipefail
fal=$1
runs=$2
config=$(dirname "$0")/../../../configs/fal/byzantine.toml

train() { # NAME SETTING...
    local out=$runs/$1
    shift
    [ -e "$out/results.json" ] && return
    rm -rf "$out"
    local settings=()
    for setting in "$@"; do settings+=(--set "$setting"); done
    "$fal" train --config "$config" "${settings[@]}" --out "$out" >"$out.log" 2>&1 ||
        echo "$out: $(tail -1 "$out.log")" >&2
}

mkdir -p "$runs"
for training in adversarial plain; do
    steps=10
    [ $training = plain ] && steps=0
    for share in 0 0.2 0.4; do
        # Of twenty clients; what is trimmed at each end is a share below a half.
        case $share in
            0) bad=0 trim=0.2 ;;
            0.2) bad=4 trim=0.2 ;;
            0.4) bad=8 trim=0.4 ;;
        esac
        behaviours=(
            'sign-flip|{ kind = "sign-flip", factor = 5.0 }'
            'scaled|{ kind = "scaled", factor = 20.0 }'
            'gaussian|{ kind = "gaussian", deviation = 0.5 }'
            'label-flip|{ kind = "label-flip" }'
        )
        [ "$share" = 0 ] && behaviours=('nobody|{ kind = "label-flip" }')
        for behaviour in "${behaviours[@]}"; do
            for aggregator in \
                'mean|{ kind = "mean" }' \
                'clipped-mean|{ kind = "mean" }' \
                'median|{ kind = "median" }' \
                "trimmed-mean|{ kind = \"trimmed-mean\", share = $trim }" \
                "krum|{ kind = \"krum\", byzantine = $bad }" \
                "multi-krum|{ kind = \"multi-krum\", byzantine = $bad }" \
                "bulyan|{ kind = \"bulyan\", byzantine = $bad }" \
                'geometric-median|{ kind = "geometric-median" }'; do
                name=${aggregator%%|*}
                # Bulyan needs four times the bad clients and three more.
                [ "$name" = bulyan ] && [ "$share" = 0.4 ] && continue
                more=()
                [ "$name" = clipped-mean ] && more=("server.clip=0.2")
                train "$training-$share-${behaviour%%|*}-$name" \
                    "adversary.steps=$steps" \
                    "clients.attackers={ share = $share, behaviour = ${behaviour#*|} }" \
                    "server.aggregator=${aggregator#*|}" "${more[@]}"
            done
        done
    done
done

finished=("$runs"/*/results.json)
"$fal" report --json --out "$runs/report.html" "${finished[@]%/results.json}" >"$runs/accuracies.json"
"$(dirname "$0")/table.py" "$runs/accuracies.json"
