#!/usr/bin/env bash
# Owns the Python environment that trains the demo model, in
# $CACHE/venv-train-<hash of its requirements>, with `venv-train` beside it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have python3 || die "python3 is not on PATH. Way out: apt-get install python3 python3-venv"
REQUIREMENTS=$SETUP_DIR/requirements-train.txt
KEY=$( (cat "$REQUIREMENTS"; python3 --version) | short_hash)
PREFIX=$CACHE/venv-train-$KEY

is_done() { [ -f "$PREFIX/.ready" ]; }

# A venv holds its own path, so it is made in place; its last file makes it whole.
make_it() {
    rm -rf "$PREFIX"
    run_logged "installing PyTorch" "$LOGS/train.log" : fill
    touch "$PREFIX/.ready"
}

fill() {
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/pip" --disable-pip-version-check --no-cache-dir install -r "$REQUIREMENTS"
    "$PREFIX/bin/python3" -c 'import pycocotools.cocoeval, torch'
    [ -x "$PREFIX/bin/pnnx" ]
}

step train "PyTorch and pnnx, to train the demo model (several GB)"
point "$CACHE/venv-train" "$(basename "$PREFIX")"
