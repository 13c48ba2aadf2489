#!/usr/bin/env bash
# Owns the Python environment that computes COCO's mAP for `make accuracy`, in
# $CACHE/venv-<hash of its requirements>, with `venv` beside it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have python3 || die "python3 is not on PATH. Way out: apt-get install python3 python3-venv"
REQUIREMENTS=$SETUP_DIR/requirements-accuracy.txt
KEY=$( (cat "$REQUIREMENTS"; python3 --version) | short_hash)
PREFIX=$CACHE/venv-$KEY

is_done() { [ -f "$PREFIX/.ready" ]; }

# A venv holds its own path, so it is made in place; its last file makes it whole.
make_it() {
    rm -rf "$PREFIX"
    run_logged "installing pycocotools" "$LOGS/accuracy.log" : fill
    touch "$PREFIX/.ready"
}

fill() {
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/pip" --disable-pip-version-check install -r "$REQUIREMENTS"
    "$PREFIX/bin/python3" -c 'import pycocotools.cocoeval'
}

step accuracy "pycocotools, the judge of make accuracy"
point "$CACHE/venv" "$(basename "$PREFIX")"
