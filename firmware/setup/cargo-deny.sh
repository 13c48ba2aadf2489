#!/usr/bin/env bash
# Owns cargo-deny, which checks the licences and sources of dependencies: takes
# it from PATH in the pinned version, else builds it into $CACHE/tools.
#
# usage: cargo-deny.sh           makes sure that it is there
#        cargo-deny.sh ARG...    runs it
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PREFIX=$CACHE/tools/cargo-deny-$CARGO_DENY_VERSION

reports_pinned() { [ -x "$1" ] && [ "$("$1" --version)" = "cargo-deny $CARGO_DENY_VERSION" ]; }

is_done() { [ -x "$PREFIX/bin/cargo-deny" ]; }

make_it() {
    WORK=$CACHE/tools/.build-cargo-deny
    rm -rf "$WORK"
    mkdir -p "$WORK"
    # Not optimised: that saves two thirds of the build and costs a second per run.
    run_logged "building cargo-deny $CARGO_DENY_VERSION" "$LOGS/cargo-deny.log" : \
        env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false \
        cargo install --locked --jobs "$JOBS" --root "$WORK/prefix" --target-dir "$WORK/target" \
        "cargo-deny@$CARGO_DENY_VERSION"
    rm -rf "$PREFIX"
    mv -T "$WORK/prefix" "$PREFIX"
    rm -rf "$WORK"
}

found=$(command -v cargo-deny || true)
if ! reports_pinned "$found"; then
    step cargo-deny "cargo-deny $CARGO_DENY_VERSION, built from source once"
    found=$PREFIX/bin/cargo-deny
fi
if [ $# -gt 0 ]; then exec "$found" "$@"; fi
