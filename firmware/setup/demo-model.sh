#!/usr/bin/env bash
# Owns how the demo model is made: data sets, training, export into
# firmware/models/demo, judgement on streets that it has not seen. Its work lies
# in $CACHE/demo-model; what is there already is not made again, and a training
# that was interrupted goes on. Remove the folder to begin anew.
#
# usage: demo-model.sh           all of it
#        demo-model.sh judge     only the judgement of the model that is there
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WORK=$CACHE/demo-model
MODEL=$ROOT_DIR/firmware/models/demo
PYTHON=$CACHE/venv-train/bin/python3
BIN=${CARGO_TARGET_DIR:-$CACHE/target}/release
# The same numbers on every machine: threads decide the order of sums.
export OMP_WAIT_POLICY=passive PYTHONDONTWRITEBYTECODE=1

# dataset NAME OPTIONS...: a data set under $WORK, whole or not at all.
dataset() {
    local name=$1; shift
    [ -f "$WORK/$name/annotations.json" ] && return
    say "demo-model: drawing $name"
    rm -rf "${WORK:?}/$name" "$WORK/$name.part"
    "$BIN/edgecam-scene" dataset --out "$WORK/$name.part" "$@"
    mv "$WORK/$name.part" "$WORK/$name"
}

train() {
    # Most cameras give 720p; the others teach what scaling does.
    dataset training --split training --look mixed --scenes 5000 --frames 2 --raw 416x256 \
        --size 1280x720,1280x720,960x540,1280x720,1920x1080,640x360
    dataset watch --split training --first 900000 --look mixed --scenes 300 --raw 416x256
    "$PYTHON" "$MODEL/train/train.py" --data "$WORK/training" --judge "$WORK/watch" \
        --out "$WORK/run" --epochs "$EPOCHS" | tee -a "$WORK/training.log"
    "$PYTHON" "$MODEL/train/export.py" --from "$WORK/run/last.pt" --to "$MODEL"
    grep -v '^  ' "$WORK/training.log" >"$MODEL/training.log"
}

# judge NAME: AP of the model in firmware/models/demo, by the detector itself.
judge() {
    say "demo-model: $1"
    "$BIN/edgecam-model" accuracy --classes --python "$PYTHON" --model "$MODEL/demo.toml" \
        --images "$WORK/$1" --annotations "$WORK/$1/annotations.json"
}

# What the committed model had; more are better still.
EPOCHS=3
cd "$ROOT_DIR"
mkdir -p "$WORK"
cargo build --release -p edgecam-scene -p edgecam-detect
[ "${1:-}" = judge ] || train
dataset held-out-varied --split held-out --look varied --scenes 300
dataset held-out-plain --split held-out --first 10000 --look plain --scenes 300
judge held-out-varied
judge held-out-plain
