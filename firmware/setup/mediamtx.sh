#!/usr/bin/env bash
# Owns MediaMTX, the media server: finds the pinned release, else builds it, else
# downloads it, into $CACHE/mediamtx/<version>/mediamtx with `current` beside it.
# None of this working is not an error: EdgeCam then runs without its streaming
# addresses, and this script says so.
#
# EDGECAM_MEDIAMTX names a binary at hand.
# usage: mediamtx.sh [--retry]   (--retry: also when it failed a moment ago)
#        mediamtx.sh --cross     for aarch64 from another machine, as $CACHE/mediamtx/<version>-arm64; an image
#                                needs it, so failing is an error then
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MODULE=github.com/bluenviron/mediamtx
TAG=v$MEDIAMTX_VERSION
ARCH='' RUNNER=()
if [ "${1:-}" = --cross ] && [ "$(uname -m)" != aarch64 ]; then
    ARCH=arm64 RUNNER=(qemu-aarch64-static)
    export GOARCH=arm64
fi
PREFIX=$CACHE/mediamtx/$MEDIAMTX_VERSION${ARCH:+-$ARCH}
# A failed attempt is remembered for an hour, for as long as nothing that it
# depended on has changed, so that a machine without network is not asked to
# wait at every start.
FAILED=$CACHE/mediamtx/failed
FAILED_KEY="$TAG go=$(command -v go || true) npm=$(command -v npm || true)"

reports_pinned() { [ -x "$1" ] && [ "$("${RUNNER[@]}" "$1" --version 2>/dev/null </dev/null)" = "$TAG" ]; }

failed_lately() {
    [ "$(cat "$FAILED" 2>/dev/null)" = "$FAILED_KEY" ] && [ -n "$(find "$FAILED" -mmin -60)" ]
}

is_done() { [ -x "$PREFIX/mediamtx" ]; }

# build DIR: makes DIR/mediamtx with Go.
build() {
    local work=$1 src arch
    fetch_module "$work" || return
    src=$work/src
    make_generated_files "$src" || return
    arch=$(go env GOARCH)
    # Releases embed a camera helper on arm. EdgeCam has its own camera process;
    # the folder must exist and hold a file for the build to go through.
    case $arch in
    arm64) embed_nothing "$src/internal/staticsources/rpicamera/mtxrpicam_64" ;;
    arm) embed_nothing "$src/internal/staticsources/rpicamera/mtxrpicam_32" ;;
    esac
    (cd "$src" && go list -deps . | wc -l) >"$work/packages" || return
    run_logged "building MediaMTX $TAG" "$LOGS/mediamtx-build.log" percent compile "$src" "$work/mediamtx"
}

# fetch_module DIR: the module's source, checked against its pinned sum, writable
# in DIR/src (Go keeps its own copy read-only).
fetch_module() {
    local sum dir
    run_logged "fetching MediaMTX $TAG" "$LOGS/mediamtx-fetch.log" : \
        go mod download -json "$MODULE@$TAG" || return
    sum=$(sed -n 's/^\t"Sum": "\(.*\)",\?$/\1/p' "$LOGS/mediamtx-fetch.log")
    dir=$(sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p' "$LOGS/mediamtx-fetch.log")
    if [ "$sum" != "$MEDIAMTX_GO_SUM" ]; then
        warn "the Go module $MODULE@$TAG is refused: its sum is $sum, pinned is $MEDIAMTX_GO_SUM (versions.env)."
        return 1
    fi
    cp -r "$dir" "$1/src" && chmod -R u+w "$1/src" || return
    (cd "$1/src" && run_logged "fetching MediaMTX's dependencies" "$LOGS/mediamtx-deps.log" : go mod download)
}

# make_generated_files SRC: the two files that a release generates and the module
# therefore lacks: the version, and the player of the HLS page.
make_generated_files() {
    local src=$1 hls=$1/internal/servers/hls version sum
    printf '%s' "$TAG" >"$src/internal/core/VERSION"
    version=$(tr -d 'v[:space:]' <"$hls/hlsjsdownloader/VERSION")
    if have npm; then
        run_logged "fetching hls.js $version" "$LOGS/hlsjs.log" : \
            npm pack --pack-destination "$src" "hls.js@$version" || return
        tar -xzOf "$src/hls.js-$version.tgz" package/dist/hls.min.js >"$hls/hls.min.js"
    else
        # MediaMTX's own generator takes it from its upstream release.
        (cd "$hls" && run_logged "fetching hls.js $version" "$LOGS/hlsjs.log" : go generate .) || return
    fi
    sum=$(sha256sum "$hls/hls.min.js" | cut -d' ' -f1)
    if [ "$sum" != "$HLSJS_SHA256" ]; then
        warn "hls.min.js $version is refused: its SHA-256 is $sum, pinned is $HLSJS_SHA256 (versions.env)."
        return 1
    fi
}

embed_nothing() { mkdir -p "$1" && echo "not included" >"$1/README"; }

compile() {
    cd "$1"
    CGO_ENABLED=0 go build -v -p "$JOBS" -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" .
}

# percent LOG: `go build -v` names each package that it compiles.
percent() { printf '%d' $((100 * $(wc -l <"$1") / $(cat "$WORK/packages"))); }

# download DIR: takes DIR/mediamtx from the upstream release, verified.
download() {
    local work=$1 arch file base
    base=https://$MODULE/releases/download/$TAG
    case ${ARCH:-$(uname -m)} in
    x86_64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) warn "MediaMTX has no release for $(uname -m)."; return 1 ;;
    esac
    file=mediamtx_${TAG}_linux_$arch.tar.gz
    run_logged "downloading $file" "$LOGS/mediamtx-download.log" : \
        curl -fsSL --connect-timeout 10 --max-time 900 \
        -o "$work/checksums.sha256" "$base/checksums.sha256" -o "$work/$file" "$base/$file" || return
    if ! (cd "$work" && grep -F " $file" checksums.sha256 | sed 's/ \*/  /' | sha256sum --check --status --strict); then
        warn "$file is refused: it does not match the release's checksums.sha256."
        return 1
    fi
    tar -C "$work" -xzf "$work/$file" mediamtx
}

make_it() {
    local reasons=() why
    WORK=$CACHE/mediamtx/.build-$MEDIAMTX_VERSION${ARCH:+-$ARCH}
    rm -rf "$WORK"
    mkdir -p "$WORK/out"
    export GOTOOLCHAIN=auto GOWORK=off
    if ! have go; then
        reasons+=("Go is not on PATH")
    elif ! version_ge "$(go version | sed 's/^go version go\([0-9.]*\).*/\1/')" "$GO_MIN"; then
        reasons+=("$(go version | cut -d' ' -f3) is older than $GO_MIN")
    elif ! build "$WORK"; then
        reasons+=("the build failed")
    fi
    if [ ! -x "$WORK/mediamtx" ] && ! download "$WORK"; then reasons+=("the download failed"); fi
    if reports_pinned "$WORK/mediamtx"; then
        rm -rf "$PREFIX"
        mv "$WORK/mediamtx" "$WORK/out/"
        mv -T "$WORK/out" "$PREFIX"
        rm -f "$FAILED"
    else
        if [ -e "$WORK/mediamtx" ]; then reasons+=("what came reports not $TAG"); fi
        why=$(printf '%s; ' "${reasons[@]}")
        if [ -n "${ARCH:-}" ]; then die "MediaMTX $MEDIAMTX_VERSION for the Pi cannot be had: ${why%; }."; fi
        echo "$FAILED_KEY" >"$FAILED"
        say_absent "${why%; }"
    fi
    rm -rf "$WORK"
}

say_absent() {
    warn "MediaMTX $MEDIAMTX_VERSION is not here ($1)."
    warn "EdgeCam runs without its streaming addresses (RTSP, WebRTC, HLS); all else works."
    warn "Way out: install Go $GO_MIN or newer and npm, or name a mediamtx $MEDIAMTX_VERSION in EDGECAM_MEDIAMTX; then make setup."
}

if [ "${1:-}" = --cross ]; then
    step "mediamtx${ARCH:+-$ARCH}" "MediaMTX $MEDIAMTX_VERSION for aarch64"
    is_done
    exit
fi
if [ -n "${EDGECAM_MEDIAMTX:-}" ]; then
    if reports_pinned "$EDGECAM_MEDIAMTX"; then exit 0; fi
    warn "EDGECAM_MEDIAMTX=$EDGECAM_MEDIAMTX is not MediaMTX $TAG, the release that EdgeCam is made for: looking further."
fi
if reports_pinned "$(command -v mediamtx || true)"; then exit 0; fi
if [ "${1:-}" != --retry ] && ! is_done && failed_lately; then
    say_absent "tried less than an hour ago"
    exit 0
fi
step mediamtx "MediaMTX $MEDIAMTX_VERSION, the media server"
if is_done; then point "$CACHE/mediamtx/current" "$MEDIAMTX_VERSION"; fi
