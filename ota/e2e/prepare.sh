#!/usr/bin/env bash
# Owns what the tests in QEMU are given: the card, its boot script with a root
# shell on the console, and updates, good and bad, all of one build.
#
# usage: prepare.sh FOLDER
set -euo pipefail
IMAGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../image" && pwd)
# shellcheck source=../../firmware/setup/lib.sh
. "$IMAGE_DIR/../../firmware/setup/lib.sh"
# shellcheck source=../image/build/tools.sh
. "$IMAGE_DIR/build/tools.sh"

OUT=$1
BUILT=$CACHE/image/out/debian
VERSION=$(sed -n 's/^version *= *"\(.*\)"/\1/p' "$ROOT_DIR/Cargo.toml" | head -n 1)
rm -rf "$OUT"
mkdir -p "$OUT"
ln "$BUILT/edgecam-$VERSION-arm64.img" "$OUT/card.img"
{ echo 'setenv extra_args systemd.debug_shell=ttyAMA0'; cat "$IMAGE_DIR/boot/boot.cmd"; } >"$OUT/boot.cmd"
mkimage -A arm64 -O linux -T script -C none -n EdgeCam -d "$OUT/boot.cmd" "$OUT/boot-with-shell.scr" >/dev/null
echo "EDGECAM_IMAGE_TOOLS=$TOOLS"
