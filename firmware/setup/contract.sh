#!/usr/bin/env bash
# Owns the Python environment with schemathesis, which tests the running API against
# its document, in $CACHE/contract-<hash of its requirements>, with `contract` beside it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

have python3 || die "python3 is not on PATH. Way out: apt-get install python3 python3-venv"
REQUIREMENTS=$SETUP_DIR/requirements-contract.txt
KEY=$( (cat "$REQUIREMENTS"; python3 --version) | short_hash)
PREFIX=$CACHE/contract-$KEY

is_done() { [ -f "$PREFIX/.ready" ]; }

# A venv holds its own path, so it is made in place; its last file makes it whole.
make_it() {
    rm -rf "$PREFIX"
    run_logged "installing schemathesis" "$LOGS/contract.log" : fill
    touch "$PREFIX/.ready"
}

fill() {
    python3 -m venv "$PREFIX"
    "$PREFIX/bin/pip" --disable-pip-version-check install -r "$REQUIREMENTS"
    "$PREFIX/bin/st" --version
}

step contract "schemathesis, which tests the API against its document"
point "$CACHE/contract" "$(basename "$PREFIX")"
