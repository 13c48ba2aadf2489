#!/usr/bin/env bash
# Owns recipes-edgecam/mediamtx/mediamtx-modules.inc: MediaMTX and the Go modules that it is built of, with the
# SHA-256 of each file, as bitbake fetches them. Go itself says which, with an empty cache: what it fetched is what a
# build needs.
#
# usage: modules.sh   (prints the file; needs Go and a network)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../../firmware/setup/versions.env
. "$HERE/../../firmware/setup/versions.env"

MODULE=github.com/bluenviron/mediamtx
WORK=$(mktemp -d)
trap 'chmod -R u+w "$WORK"; rm -rf "$WORK"' EXIT
export GOMODCACHE=$WORK/cache GOFLAGS=-modcacherw GOWORK=off GOARCH=arm64 GOOS=linux CGO_ENABLED=0
DOWNLOADS=$GOMODCACHE/cache/download

go mod download -json "$MODULE@v$MEDIAMTX_VERSION" >"$WORK/module"
grep -qF "\"$MEDIAMTX_GO_SUM\"" "$WORK/module" || { echo "mediamtx $MEDIAMTX_VERSION is not what versions.env pins" >&2; exit 1; }
cp -r "$GOMODCACHE/$MODULE@v$MEDIAMTX_VERSION" "$WORK/source"
# Generated files that a build embeds; which modules it takes is the same without their contents.
echo >"$WORK/source/internal/core/VERSION"
echo >"$WORK/source/internal/servers/hls/hls.min.js"
mkdir -p "$WORK/source/internal/staticsources/rpicamera/mtxrpicam_64"
echo >"$WORK/source/internal/staticsources/rpicamera/mtxrpicam_64/README"
(cd "$WORK/source" && go list -deps . >/dev/null)

sum() { sha256sum "$1" | cut -d' ' -f1; }
# plain TEXT: capital letters as they are; the proxy writes !x.
plain() { printf '%s\n' "$1" | sed 's/!\(.\)/\U\1/g'; }

echo "# Generated with Go by meta-edgecam/scripts/modules.sh; \`make yocto-lists\` makes it anew."
echo "MEDIAMTX_GO = \"$(sed -n 's/^go //p' "$WORK/source/go.mod")\""
hls=$(tr -d 'v[:space:]' <"$WORK/source/internal/servers/hls/hlsjsdownloader/VERSION")
echo "MEDIAMTX_LISTED = \"$MEDIAMTX_VERSION\""
echo "HLSJS_VERSION = \"$hls\""
echo "SRC_URI += \"\\"
(cd "$DOWNLOADS" && find . -name '*.zip' -o -name '*.mod') | LC_ALL=C sort | while read -r file; do
    path=$(plain "${file#./}")
    module=${path%/@v/*} version=${path##*/@v/}
    case $file in
    *.zip) echo "    gomod://$module;version=${version%.zip};sha256sum=$(sum "$DOWNLOADS/$file") \\" ;;
    *.mod) [ -f "$DOWNLOADS/${file%.mod}.zip" ] || echo "    gomod://$module;version=${version%.mod};mod=1;sha256sum=$(sum "$DOWNLOADS/$file") \\" ;;
    esac
done
echo '"'
