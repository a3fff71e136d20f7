#!/usr/bin/env bash
# The Byzantine table: 20 % and 40 % bad clients of each kind against every aggregator, with and without adversarial
# training. Runs that are finished are not run again, and those that were interrupted go on. A run that diverges is part of
# the table: RUNS/seed-SEED/failures.tsv keeps its name, exit code and last line. Whatever else goes wrong ends the script.
# Leaves RUNS/seed-SEED/accuracies.json and prints the tables of all seeds that are finished.
#   docs/results/fal-byzantine/table.sh FAL RUNS SEED, such as
#   docs/results/fal-byzantine/table.sh target/release/fal runs/byzantine 0
set -euo pipefail
fal=$1
seed=$3
runs=$2/seed-$seed
config=$(dirname "$0")/../../../configs/fal/byzantine.toml

train() { # NAME SETTING...
    local name=$1 out=$runs/$1 code=0
    shift
    [ -e "$out/results.json" ] && return
    grep -q "^$name$tab" "$failures" && return
    local arguments=(--config "$config" --set "seed=$seed")
    for setting in "$@"; do arguments+=(--set "$setting"); done
    [ -e "$out/config.toml" ] && arguments=(--resume)
    "$fal" train "${arguments[@]}" --out "$out" >"$out.log" 2>&1 || code=$?
    [ $code = 0 ] && return
    local line
    line=$(tail -n 1 "$out.log")
    # As in table.py.
    if ! [[ $line =~ 'no client sent a finite update'|'would not be finite'|'the model scores an image with'|'scores a test image with' ]]; then
        echo "$out: exit code $code: $line" >&2
        exit $code
    fi
    printf '%s\t%s\t%s\n' "$name" "$code" "$line" >>"$failures"
}

mkdir -p "$runs"
failures=$runs/failures.tsv
tab=$(printf '\t')
touch "$failures"
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
"$(dirname "$0")/table.py" "$2"
