#!/usr/bin/env bash
# Owns the Python environment with oelint-adv and kas, which look at the Yocto layer, in
# $CACHE/yocto-<hash of its requirements>, with `yocto` beside it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have python3 || die "python3 is not on PATH. Way out: apt-get install python3 python3-venv"
REQUIREMENTS=$SETUP_DIR/requirements-yocto.txt
KEY=$( (cat "$REQUIREMENTS"; python3 --version) | short_hash)
PREFIX=$CACHE/yocto-$KEY

is_done() { [ -f "$PREFIX/.ready" ]; }

# A venv holds its own path, so it is made in place; its last file makes it whole.
make_it() {
    rm -rf "$PREFIX"
    run_logged "installing oelint-adv and kas" "$LOGS/yocto.log" : fill
    touch "$PREFIX/.ready"
}

fill() {
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/pip" --disable-pip-version-check install --require-hashes --no-deps -r "$REQUIREMENTS"
    "$PREFIX/bin/oelint-adv" --version
    "$PREFIX/bin/kas" --version
}

step yocto "oelint-adv and kas, which look at the Yocto layer"
point "$CACHE/yocto" "$(basename "$PREFIX")"
