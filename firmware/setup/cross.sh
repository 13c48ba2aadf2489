#!/usr/bin/env bash
# Owns the binaries for a Raspberry Pi, built on another machine: the sysroot of
# Debian's arm64 packages, ncnn and MediaMTX for it, and the product linked
# against them, in $CACHE/cross/bin.
#
# usage: cross.sh build        all of it
#        cross.sh test         the tests of what computes, emulated: there the compiler's vectors and ncnn's
#                              arithmetic are others than on this machine
#        cross.sh run CMD...   CMD with the environment of the cross build (cargo test, cargo clippy)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TRIPLE=aarch64-unknown-linux-gnu
# What is linked against, and what tests of the product load when they run here.
PACKAGES=(libc6-dev libstdc++-12-dev libgomp1 libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good)
KEY=$(printf '%s\n' "$SYSROOT_SUITE" "${PACKAGES[@]}" | cat - "$SETUP_DIR/debs.sh" | short_hash)
SYSROOT=$CACHE/cross/sysroot-$KEY
BIN=$CACHE/cross/bin

is_done() { [ -f "$SYSROOT/.packages" ]; }

make_it() {
    run_logged "unpacking the sysroot" "$LOGS/sysroot.log" : \
        "$SETUP_DIR/debs.sh" arm64 "$SYSROOT_SUITE" "$SYSROOT" "${PACKAGES[@]}"
}

# environment: what cargo, cc and pkg-config need to build for the Pi. Paths of
# this machine do not get into the binaries: those of crates are remapped, our
# own are relative.
environment() {
    local under=${TRIPLE//-/_} upper
    upper=$(tr '[:lower:]' '[:upper:]' <<<"$under")
    export "CARGO_TARGET_${upper}_LINKER=aarch64-linux-gnu-gcc"
    export "CARGO_TARGET_${upper}_RUSTFLAGS=-C link-arg=--sysroot=$SYSROOT --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    export "CARGO_TARGET_${upper}_RUNNER=qemu-aarch64-static -L $SYSROOT"
    export "CC_$under=aarch64-linux-gnu-gcc" "CXX_$under=aarch64-linux-gnu-g++" "AR_$under=aarch64-linux-gnu-ar"
    export "CFLAGS_$under=--sysroot=$SYSROOT" "CXXFLAGS_$under=--sysroot=$SYSROOT"
    export "PKG_CONFIG_ALLOW_CROSS_$under=1" "PKG_CONFIG_SYSROOT_DIR_$under=$SYSROOT"
    export "PKG_CONFIG_LIBDIR_$under=$SYSROOT/usr/lib/aarch64-linux-gnu/pkgconfig:$SYSROOT/usr/share/pkgconfig"
    export "EDGECAM_NCNN_DIR_$under=$CACHE/ncnn/current-aarch64"
    # GStreamer asks a second process about its plugins; it could not be run here.
    export GST_REGISTRY_FORK=no GST_REGISTRY="$CACHE/cross/gst-registry.bin"
    export CARGO_BUILD_TARGET=$TRIPLE
}

# target_std: the standard library of Rust for the Pi.
target_std() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$TRIPLE" ] && return
    have rustup || die "Rust's library for $TRIPLE is not installed, and rustup is not here to do it."
    run_logged "fetching Rust's library for $TRIPLE" "$LOGS/rustup.log" : rustup target add "$TRIPLE"
}

ready() {
    [ "$(uname -m)" = x86_64 ] ||
        die "the cross build is for a PC (x86_64), and this is $(uname -m). On a Raspberry Pi, \`make run\` builds for it as it is."
    "$SETUP_DIR/toolchains.sh" run
    "$SETUP_DIR/apt.sh" cross
    target_std
    step sysroot "Debian's libraries for the Pi"
    "$SETUP_DIR/ncnn.sh" aarch64
}

build() {
    local start=$SECONDS out name locked=()
    if [ -n "${CI:-}" ]; then locked=(--locked); fi
    "$SETUP_DIR/mediamtx.sh" --cross
    cd "$ROOT_DIR"
    run_logged "compiling for the Pi" "$LOGS/cross.log" : \
        cargo build "${locked[@]}" --release -p edgecamd -p edgecam-camera -p edgecam-cli
    out=${CARGO_TARGET_DIR:-$ROOT_DIR/target}/$TRIPLE/release
    mkdir -p "$BIN"
    for name in edgecamd edgecam-camera edgecam; do
        aarch64-linux-gnu-strip -o "$BIN/$name.new" "$out/$name"
        mv "$BIN/$name.new" "$BIN/$name"
    done
    install -m 755 "$CACHE/mediamtx/$MEDIAMTX_VERSION-arm64/mediamtx" "$BIN/mediamtx"
    # They start, and are what they say; emulated, but with the libraries that they will have.
    for name in edgecamd edgecam-camera edgecam mediamtx; do
        out=$(qemu-aarch64-static -L "$SYSROOT" "$BIN/$name" --version) ||
            die "$name for the Pi does not start: run qemu-aarch64-static -L $SYSROOT $BIN/$name --version"
        say "  $name: $out"
    done
    say "cross: edgecamd, edgecam-camera, edgecam and mediamtx for aarch64 are in $BIN, $(elapsed "$start")"
}

# Each kernel of the detector against a plain reading of its definition, and the demo model on drawn streets.
test_computing() {
    local start=$SECONDS locked=()
    if [ -n "${CI:-}" ]; then locked=(--locked); fi
    cd "$ROOT_DIR"
    cargo test -q "${locked[@]}" -p edgecam-domain -p edgecam-detect --lib
    cargo test -q "${locked[@]}" -p edgecam-detect --test input --test fits
    cargo test -q "${locked[@]}" -p edgecam-detect --test demo nine_in_ten
    cargo test -q "${locked[@]}" -p edgecam-ncnn --lib
    say "arm-test: geometry, detector and inference do the same for aarch64 (emulated), $(elapsed "$start")"
}

case ${1:-} in
test) ready; environment; test_computing ;;
build) ready; environment; build ;;
run) ready; environment; shift; exec "$@" ;;
*) sed -n 's/^# \(usage\|  *cross\.sh\)/\1/p' "$0" >&2; exit 2 ;;
esac
