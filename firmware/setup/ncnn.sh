#!/usr/bin/env bash
# Owns ncnn: fetches the pinned source package, verifies it, builds the static
# library with ncnn-options.txt and the layers of ncnn-layers.txt and installs it, whole or not at
# all, as $CACHE/ncnn/<version>-<hash of what went in>, with `current` beside it,
# or `current-aarch64` when it is built for that from another machine.
#
# usage: ncnn.sh [x86_64|aarch64]
#
# EDGECAM_NCNN_SDIST names a source package at hand, for machines without network.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HOST=$(uname -m)
TARGET=${1:-$HOST}
PACKAGE=ncnn-1.0.$NCNN_VERSION

# options: what ncnn-options.txt says for TARGET.
options() {
    sed 's/#.*//' "$SETUP_DIR/ncnn-options.txt" | awk -v target="@$TARGET" '
        /^@/ { on = $1 == "@all" || $1 == target; next }
        on { for (i = 1; i <= NF; i++) print "-D" $i }'
}

mapfile -t OPTIONS < <(options)
# Without the version ncnn reports the day it was built.
OPTIONS=(-DCMAKE_BUILD_TYPE=Release -DNCNN_VERSION="$NCNN_VERSION" "${OPTIONS[@]}")

PREFIXED='' NAME=current
if [ "$TARGET" != "$HOST" ]; then
    PREFIXED=$TARGET-linux-gnu- NAME=current-$TARGET
    OPTIONS+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$TARGET")
fi
LAYERS=$(sed 's/#.*//' "$SETUP_DIR/ncnn-layers.txt" | tr -s '[:space:]' '\n' | sed '/^$/d' | sort)
KEY=$(printf '%s\n' "$TARGET" "$NCNN_SDIST_SHA256" "${OPTIONS[@]}" "$LAYERS" | short_hash)
PREFIX=$CACHE/ncnn/$NCNN_VERSION-$KEY

is_done() {
    [ -f "$PREFIX/lib/libncnn.a" ] && [ -f "$PREFIX/include/ncnn/c_api.h" ]
}

# fetch DIR: the source package in DIR, by name from the package index.
# pip itself refuses this package, because its metadata carries the build date.
fetch() {
    local venv=$1/venv
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install -r "$SETUP_DIR/requirements-fetch.txt"
    "$venv/bin/unearth" "ncnn==1.0.$NCNN_VERSION" --no-binary --download="$1" >/dev/null
}

# verify FILE: refuses a source package that is not the pinned one.
verify() {
    local sum
    sum=$(sha256sum "$1" | cut -d' ' -f1)
    [ "$sum" = "$NCNN_SDIST_SHA256" ] ||
        die "$(basename "$1") is refused: its SHA-256 is $sum, pinned is $NCNN_SDIST_SHA256 (versions.env)."
}

# percent LOG: of the files to compile. ninja's own [done/all] would begin at a
# half, with the generated sources.
percent() { printf '%d' $((100 * $(grep -c 'Building CXX' "$1") / $(cat "$WORK/files"))); }

# check DIR: what a wrong compiler or option would silently break.
check() {
    local version
    version=$(sed -n 's/^#define NCNN_VERSION_STRING "\(.*\)"/\1/p' "$1/include/ncnn/platform.h")
    [ "$version" = "1.0.$NCNN_VERSION" ] || die "ncnn reports version '$version', expected 1.0.$NCNN_VERSION."
    [ "$("${PREFIXED}nm" "$1/lib/libncnn.a" 2>/dev/null | grep -c ' U GOMP_parallel$')" -gt 0 ] ||
        die "ncnn was built without OpenMP: inference would use one core. Is libgomp of g++ installed?"
    # Layers call each other's kernels; a list that lacks one must not get far.
    run_logged "linking $PACKAGE" "$LOGS/ncnn-link.log" : \
        "${PREFIXED}g++" -shared -fopenmp -Wl,--no-undefined -Wl,--whole-archive "$1/lib/libncnn.a" \
        -Wl,--no-whole-archive -o "$WORK/linked.so"
}

make_it() {
    local sdist off
    WORK=$CACHE/ncnn/.build-$KEY
    rm -rf "$WORK"
    mkdir -p "$WORK"
    sdist=${EDGECAM_NCNN_SDIST:-$WORK/$PACKAGE.tar.gz}
    if [ -n "${EDGECAM_NCNN_SDIST:-}" ]; then
        [ -f "$sdist" ] || die "EDGECAM_NCNN_SDIST names $sdist, which is not there."
    else
        run_logged "fetching $PACKAGE" "$LOGS/ncnn-fetch.log" : fetch "$WORK"
    fi
    verify "$sdist"
    tar -C "$WORK" -xf "$sdist"
    off=$("$SETUP_DIR/ncnn-layers.sh" "$WORK/$PACKAGE")
    # With clang, cmake quietly builds ncnn single-threaded.
    # shellcheck disable=SC2086 # one word per layer
    run_logged "configuring $PACKAGE" "$LOGS/ncnn-cmake.log" : \
        env CC="${PREFIXED}gcc" CXX="${PREFIXED}g++" cmake -G Ninja -S "$WORK/$PACKAGE" -B "$WORK/build" \
        -DCMAKE_INSTALL_PREFIX="$WORK/prefix" -DCMAKE_INSTALL_LIBDIR=lib "${OPTIONS[@]}" $off
    ninja -C "$WORK/build" -n | grep -c 'Building CXX' >"$WORK/files"
    run_logged "building $PACKAGE" "$LOGS/ncnn-build.log" percent \
        ninja -C "$WORK/build" -j "$JOBS" install
    check "$WORK/prefix"
    cp "$WORK/$PACKAGE/LICENSE.txt" "$WORK/prefix/LICENSE.txt"
    rm -rf "$PREFIX"
    mv -T "$WORK/prefix" "$PREFIX"
    rm -rf "$WORK" "$LOGS/ncnn-build.log" # tens of MB of warnings
}

step "ncnn${PREFIXED:+-$TARGET}" "ncnn $NCNN_VERSION${PREFIXED:+ for $TARGET}, built from source once (some minutes)"
point "$CACHE/ncnn/$NAME" "$(basename "$PREFIX")"
