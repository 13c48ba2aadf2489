#!/usr/bin/env bash
# Owns the check of what the caller brings: Rust. It installs nothing.
#
# usage: toolchains.sh run|test
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUST_MIN=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT_DIR/Cargo.toml")

if ! have cargo || ! have rustc; then
    die "Rust is not on PATH. EdgeCam needs Rust $RUST_MIN or newer: install it from https://rustup.rs, open a new shell and try again."
fi
found=$(rustc --version | cut -d' ' -f2)
version_ge "${found%%-*}" "$RUST_MIN" ||
    die "Rust $found ($(command -v rustc)) is too old: EdgeCam needs $RUST_MIN or newer. Way out: rustup update stable (Debian's own rustc is too old; rustup is at https://rustup.rs)."
if [ "${1:-run}" = test ]; then
    # Asked by running them: rustup has a stand-in on PATH for what is not there.
    { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 ||
        die "rustfmt or clippy is not installed; make test needs both. Way out: rustup component add rustfmt clippy"
fi
