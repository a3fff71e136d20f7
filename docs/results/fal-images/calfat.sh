#!/usr/bin/env bash
# Trains and judges with CalFAT's settings (LeNet, all images, batches of 128, radius 0.3 in steps of 0.01, 150 passes), as far as
# PASSES. What is done is not done again, and what was interrupted goes on: call it with more passes, days later too.
#   docs/results/fal-images/calfat.sh FAL RUNS SET PASSES SEED, such as
#   docs/results/fal-images/calfat.sh target/release/fal runs/calfat fashion-mnist 10 0
# Sets are fashion-mnist and mnist, the latter with its folder in $MNIST. Leaves RUNS/at-PASSES-radius-RADIUS/SET-PARTITION-METHOD-SEED.
# On MNIST the radius grows over the first five passes, because at once the full one leaves FAT at guessing. Forty steps reach it,
# so that it is judged there only; the ten steps on Fashion-MNIST reach 0.1, so that they are judged there too.
# METHODS=fat-equal-steps is FAT whose clients take as many local steps as each other in a round, as those of FAL do;
# fat-no-momentum is that with the rate of FAL, K = 1, and no momentum, which has no time to build up there.
# METHODS=fal-1-continued is FAL, K = 1, and fat-continued is fat-no-momentum, whose rounds do not begin a new order of a client's images but
# take the next batches of a pass: these two differ by how often there is a mean, and by nothing else.
# METHODS=calfat-scaled is CalFAT whose adversary climbs the scores that the client's loss sees, ten times as large as in its authors' code.
set -euo pipefail
fal=$1
runs=$2
set=$3
passes=$4
seed=$5
configs=$(dirname "$0")/../../../configs/fal

# Local steps of a client with a fifth of 60,000 images in a pass.
steps=94

# What differs from configs/fal; a round of FAL is K steps, and its rates move the weights about as far in a pass as 0.01 does.
settings() { # METHOD PARTITION
    local round=1 rate=0.01 config=$1
    case $1 in
    fat-equal-steps) config=fat ;;
    fat-no-momentum | fat-continued) config=fat rate=0.09 ;;
    calfat-scaled) config=calfat ;;
    fal-1-steps) round=$steps rate=0.09 ;;
    fal-1-continued) config=fal-1-steps round=$steps rate=0.09 ;;
    fal-2-steps) round=$((steps / 2)) rate=0.06 ;;
    fal-5-steps) round=$((steps / 5 + 1)) rate=0.035 ;;
    esac
    rounds_of_a_pass=$round
    arguments=(--config "$configs/$config.toml" --seed "$seed" --set data.train=0 --set network.kind=lenet --set client.batch=128
        --set client.rate=$rate --set rounds=$((150 * round)) --set checkpoint_every=$round
        --set evaluation.every=$((5 * round)) --set evaluation.radius=0.3 --set "clients.partition.kind=$2")
    case $1 in
    fat-*) arguments+=(--set "client.work={ kind = 'steps', count = $steps }") ;;
    calfat-scaled) arguments+=(--set loss.scaled=both --set loss.absent=1e-7) ;;
    esac
    case $1 in
    fat-no-momentum | fat-continued) arguments+=(--set client.momentum=0) ;;
    esac
    case $1 in
    *-continued) arguments+=(--set client.order=continued) ;;
    esac
    if [ "$1" != plain ]; then
        local ascent=10
        if [ "$set" = mnist ]; then
            ascent=40
            arguments+=(--set adversary.warm_up=0.03333333333333333)
        fi
        arguments+=(--set adversary.radius=0.3 --set adversary.step=0.01 --set adversary.steps=$ascent
            --set adversary.start.kind=normal --set adversary.start.deviation=0.001)
    fi
    if [ "$set" = mnist ]; then
        arguments+=(--set data.set=mnist --data "$MNIST")
    fi
}

# At the radius of 0.3 PGD has CalFAT's step of 0.01, elsewhere a quarter of the radius.
judge() { # NAME RADIUS
    local out=$runs/at-$passes-radius-$2/$1
    [ -e "$out/results.json" ] && return
    local arguments=(--network "$runs/$1" --set "evaluation.radius=$2" --set evaluation.final_samples=500)
    if [ "$2" = 0.3 ]; then
        local step='relative_step = 0.03333333333333333'
        arguments+=(--set "evaluation.attacks=[{ kind = 'fgsm' }, { kind = 'pgd', steps = 20, $step }, { kind = 'pgd', steps = 40, $step }, { kind = 'auto-attack' }]")
    fi
    [ -e "$out/config.toml" ] && arguments=(--network "$runs/$1" --resume)
    "$fal" attack "${arguments[@]}" --out "$out" >"$out.log" 2>&1
}

mkdir -p "$runs"/at-"$passes"-radius-{0.1,0.3}
for partition in ${PARTITIONS:-iid dirichlet}; do
    for method in ${METHODS:-plain fat fal-1-steps fal-2-steps fal-5-steps calfat sfat}; do
        name=$set-$partition-$method-$seed
        settings "$method" "$partition"
        [ -e "$runs/$name/config.toml" ] && arguments=(--resume)
        "$fal" train "${arguments[@]}" --until $((passes * rounds_of_a_pass)) --out "$runs/$name" >>"$runs/$name.log" 2>&1
        judge "$name" 0.3
        [ "$set" = mnist ] || judge "$name" 0.1
    done
done
