#!/usr/bin/env bash
# Owns ncnn: fetches the pinned source package, verifies it, builds the static
# library with the layers of ncnn-layers.txt and installs it, whole or not at
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
OPTIONS=(
    -DCMAKE_BUILD_TYPE=Release
    -DNCNN_VERSION="$NCNN_VERSION" # else ncnn reports the day it was built
    -DNCNN_SHARED_LIB=OFF
    -DNCNN_C_API=ON
    -DNCNN_OPENMP=ON
    -DNCNN_RUNTIME_CPU=ON # one library serves every CPU of the architecture
    -DNCNN_INT8=ON
    -DNCNN_BF16=ON
    -DNCNN_PIXEL=ON
    -DNCNN_PIXEL_DRAWING=OFF
    -DNCNN_VULKAN=OFF
    -DNCNN_PYTHON=OFF
    -DNCNN_BUILD_TOOLS=OFF
    -DNCNN_BUILD_EXAMPLES=OFF
    -DNCNN_BUILD_BENCHMARK=OFF
    -DNCNN_BUILD_TESTS=OFF
)
case $TARGET in
x86_64) # serves development only: variants for few or old CPUs that take their
    # share of the build and change no result. AVX512-BF16 stays: with it networks
    # take a fifth less time, without it bfloat16 costs more than it saves
    OPTIONS+=(-DNCNN_XOP=OFF -DNCNN_AVX512FP16=OFF)
    ;;
aarch64) # a Raspberry Pi 4 is ARMv8.0, a 5 is ARMv8.2 with fp16 and dot product
    OPTIONS+=(-DNCNN_ARM82=ON -DNCNN_ARM82DOT=ON -DNCNN_ARM82FP16FML=OFF
        -DNCNN_ARM84BF16=OFF -DNCNN_ARM84I8MM=OFF -DNCNN_ARM86SVE=OFF)
    ;;
esac
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

# layers_off SOURCE: one -DWITH_LAYER_x=OFF for each layer that is not wanted;
# fails on a wanted one that ncnn does not have.
layers_off() {
    local all unknown
    all=$(sed -n 's/^ncnn_add_layer(\([A-Za-z0-9]*\).*/\1/p' "$1/src/CMakeLists.txt" | sort)
    unknown=$(comm -23 <(echo "$LAYERS") <(echo "$all") | tr '\n' ' ')
    [ -z "$unknown" ] || die "ncnn-layers.txt names layers that ncnn does not have: $unknown"
    comm -13 <(echo "$LAYERS") <(echo "$all") | tr '[:upper:]' '[:lower:]' | sed 's/.*/-DWITH_LAYER_&=OFF/'
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
    off=$(layers_off "$WORK/$PACKAGE")
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
