#!/usr/bin/env bash
# Owns the order in which an image is made, and what it is called. Each part is a
# file beside this one; what they share is here and in lib.sh.
#
# usage: image.sh [debian|raspberrypi]          makes it
#        image.sh debian|raspberrypi --twice    makes it anew elsewhere and holds both against each other
#
# In $CACHE/image/out/<kernel>: the card, compressed, with its map, sums and parts
# list; the signed update. EDGECAM_VERSION names another version than the
# workspace's, EDGECAM_OTA_* the keys of production (ota/keys.sh).
set -euo pipefail
IMAGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../../../firmware/setup/lib.sh
. "$IMAGE_DIR/../../firmware/setup/lib.sh"

KERNEL=${1:-debian}
[ -f "$IMAGE_DIR/kernels/$KERNEL.env" ] ||
    die "there is no kernel '$KERNEL' ($(cd "$IMAGE_DIR/kernels" && printf '%s ' ./*.env | sed 's#\./##g; s/\.env//g')are known)"
# shellcheck source=../kernels/debian.env
. "$IMAGE_DIR/kernels/$KERNEL.env"
for part in tools root slot card bundle release; do
    # shellcheck source=/dev/null
    . "$IMAGE_DIR/build/$part.sh"
done

BEGIN=$SECONDS
cd "$ROOT_DIR"
# shellcheck disable=SC2034 # the parts beside this file say it
COMMIT=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)}
VERSION=${EDGECAM_VERSION:-$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)}
# shellcheck disable=SC2034
BUILT_AT=$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
export SOURCE_DATE_EPOCH
FIRST=$CACHE/image/out/$KERNEL OUT=$CACHE/image/out/$KERNEL WORK=$CACHE/image/work-$KERNEL
if [ "${2:-}" = --twice ]; then OUT=$CACHE/image/again WORK=$CACHE/image/work-again; fi
mkdir -p "$OUT" "$WORK"

# Sets cert, key, keyring, intermediate and development.
eval "$("$ROOT_DIR/ota/keys.sh")"

make_all() {
    base_tree
    firmware_tree
    make_root "$WORK/root"
    squash "$WORK/root" "$OUT/rootfs.img"
    boot_fat "$WORK/root" "$OUT/boot.vfat"
    make_card "$OUT/edgecam-$VERSION-arm64.img" "$OUT/rootfs.img" "$OUT/boot.vfat"
    make_bundle "$OUT/edgecam-$VERSION-arm64.raucb" "$OUT/rootfs.img" "$OUT/boot.vfat" "$VERSION" "$COMPATIBLE"
    hand_out "$OUT/edgecam-$VERSION-arm64.img"
}

# alike: the two builds have the same bytes.
alike() {
    local file
    for file in rootfs.img boot.vfat "edgecam-$VERSION-arm64.img"; do
        cmp "$FIRST/$file" "$OUT/$file" || die "two builds of $COMMIT differ in $file"
    done
    rm -rf "$OUT" "$WORK"
    say "image: two builds of $COMMIT have the same bytes, $(elapsed "$BEGIN")"
}

with_lock "image-$KERNEL" make_all
if [ "$OUT" != "$FIRST" ]; then alike; exit; fi
say "image: $(du -m "$OUT/edgecam-$VERSION-arm64.img.zst" | cut -f1) MiB to download, $(du -m --apparent-size "$OUT/edgecam-$VERSION-arm64.img" | cut -f1) MiB card, root $(du -sm "$WORK/root" | cut -f1) MiB unpacked, $(du -m "$OUT/rootfs.img" | cut -f1) MiB packed, $(elapsed "$BEGIN"): $OUT"
