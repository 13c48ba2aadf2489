#!/usr/bin/env bash
# Owns the order of set-up. Each step is a script of its own that looks whether
# its product is there, makes it if not, and says nothing when there is nothing
# to do.
#
# usage: setup.sh run        what `make run` needs
#        setup.sh test       that, and what `make test` and `make bench` need, schemathesis, web's packages and the
#                            Yocto layer's linter among it; pycocotools if it can be had, where the pictures are
#                            that it judges
#        setup.sh accuracy   what `make run` needs, and pycocotools
#        setup.sh train      what `make demo-model` needs: PyTorch and pnnx
#        setup.sh all        everything but train, MediaMTX also when it failed a moment ago
#
# EDGECAM_CACHE names the folder for all products (~/.cache/edgecam), EDGECAM_JOBS
# the number of parallel compilers (one per core).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

START=${EPOCHREALTIME/./}
retry=()

case ${1:-} in
run) steps=(toolchains packages ncnn mediamtx) level=run ;;
test) steps=(toolchains packages ncnn mediamtx cargo-deny contract web yocto) level=test ;;
accuracy) steps=(toolchains packages ncnn accuracy) level=run ;;
train) steps=(toolchains packages ncnn train) level=run ;;
all) steps=(toolchains packages ncnn mediamtx cargo-deny contract web yocto accuracy) level=test retry=(--retry) ;;
*) sed -n 's/^# \(usage\|  *setup\.sh\)/\1/p' "$0" >&2; exit 2 ;;
esac

if [ "$1" = test ] && [ -d "$ROOT_DIR/../shared/coco-tiny" ]; then steps+=(accuracy); fi

for step in "${steps[@]}"; do
    case $step in
    toolchains) "$SETUP_DIR/toolchains.sh" "$level" ;;
    packages) "$SETUP_DIR/apt.sh" "$level" ;;
    ncnn) "$SETUP_DIR/ncnn.sh" ;;
    mediamtx) "$SETUP_DIR/mediamtx.sh" "${retry[@]}" ;;
    cargo-deny) "$SETUP_DIR/cargo-deny.sh" ;;
    accuracy) "$SETUP_DIR/accuracy.sh" || [ "$1" = test ] ;;
    contract) "$SETUP_DIR/contract.sh" ;;
    web) "$SETUP_DIR/web.sh" ;;
    yocto) "$SETUP_DIR/yocto.sh" ;;
    train) "$SETUP_DIR/train.sh" ;;
    esac
done

took=$(((${EPOCHREALTIME/./} - START) / 100000))
say "set-up: ready ($1) after $((took / 10)).$((took % 10)) s"
