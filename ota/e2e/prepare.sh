#!/usr/bin/env bash
# Owns what the tests in QEMU are given: the card, its boot script with a root
# shell on the console, and updates, good and bad, all of one build.
#
# usage: prepare.sh FOLDER   (after image.sh); prints what the tests need in their environment
set -euo pipefail
IMAGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../image" && pwd)
# shellcheck source=../../firmware/setup/lib.sh
. "$IMAGE_DIR/../../firmware/setup/lib.sh"
KERNEL=debian
# shellcheck source=../image/kernels/debian.env
. "$IMAGE_DIR/kernels/$KERNEL.env"
for part in tools root slot bundle; do
    # shellcheck source=/dev/null
    . "$IMAGE_DIR/build/$part.sh"
done

# How far it is, is for people; only the last lines are the environment.
exec 3>&1 >&2
OUT=$1
BUILT=$CACHE/image/out/$KERNEL
ROOT=$CACHE/image/work-$KERNEL/root
VERSION=$(sed -n 's/^version *= *"\(.*\)"/\1/p' "$ROOT_DIR/Cargo.toml" | head -n 1)
SOURCE_DATE_EPOCH=$(stat -c %Y "$ROOT/usr/lib/clock-epoch")
export SOURCE_DATE_EPOCH
rm -rf "$OUT"
mkdir -p "$OUT"
WORK=$(mktemp -d "$CACHE/image/prepare.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
eval "$("$ROOT_DIR/ota/keys.sh")"

# variant FOLDER: the root as built, to be changed: its files are the build's own, so whoever
# changes one makes a new one.
variant() {
    rm -rf "$1"
    cp -al "$ROOT" "$1"
}

# pack FOLDER FILE: quicker than the real ones, and larger; not for what is transferred in parts.
pack() { LEVEL=3 squash "$1" "$2"; }

# says_version FOLDER VERSION
says_version() {
    sed "s/\"version\": \"[^\"]*\"/\"version\": \"$2\"/" "$ROOT/usr/lib/edgecam/release.json" >"$WORK/release"
    rm "$1/usr/lib/edgecam/release.json"
    cp "$WORK/release" "$1/usr/lib/edgecam/release.json"
}

# with_init FILE INIT: a boot partition whose initramfs does what INIT says.
with_init() {
    local tree=$WORK/tree
    rm -rf "$tree"
    mkdir -p "$tree"
    cp "$WORK/kernel" "$tree/kernel"
    mkdir "$WORK/init"
    install -m 755 "$2" "$WORK/init/init"
    (cd "$WORK/init" && find . | cpio --quiet -o -H newc | zstd -q) >"$tree/initrd.img"
    rm -r "$WORK/init"
    fat "$tree" "$1" "$(size boot-a)" BOOT
}

base_tree
firmware_tree
ln "$BUILT/edgecam-$VERSION-arm64.img" "$OUT/card.img"
{ echo 'setenv extra_args systemd.debug_shell=ttyAMA0'; cat "$IMAGE_DIR/boot/boot.cmd"; } >"$WORK/boot.cmd"
mkimage -A arm64 -O linux -T script -C none -n EdgeCam -d "$WORK/boot.cmd" "$OUT/boot-with-shell.scr" >/dev/null

# The Pi 4 that QEMU has: a device tree without what it lacks (drivers of those fail the kernel, or
# wait for ever) and with the card where it reads it, and the console on the UART that it has. Its watchdog restarts
# the board as soon as it is armed.
mkdir "$OUT/pi"
cp "$BASE"/usr/lib/linux-image-*/broadcom/bcm2711-rpi-4-b.dtb "$OUT/pi/tree.dtb"
for node in gpu wifi-pwrseq scb/pcie@7d500000 scb/ethernet@7d580000 scb/gpu@7ec00000 soc/hvs@7e400000 soc/txp@7e004000 \
    soc/vec@7ec13000 soc/pixelvalve@7e206000 soc/pixelvalve@7e207000 soc/pixelvalve@7e20a000 soc/pixelvalve@7e216000 \
    soc/pixelvalve@7ec12000 soc/hdmi@7ef00700 soc/hdmi@7ef05700 soc/i2c@7ef04500 soc/i2c@7ef09500 soc/clock@7ef00000 \
    soc/interrupt-controller@7ef00100 soc/serial@7e215040; do
    fdtput -t s "$OUT/pi/tree.dtb" "/$node" status disabled
done
fdtput -r "$OUT/pi/tree.dtb" /soc/mmc@7e300000/wifi@1
fdtput -d "$OUT/pi/tree.dtb" /soc/mmc@7e300000 mmc-pwrseq non-removable
fdtput -r "$OUT/pi/tree.dtb" /soc/serial@7e201000/bluetooth
cp "$FIRMWARE/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$OUT/pi/"
{
    echo 'setenv extra_args console=ttyAMA0 systemd.debug_shell=ttyAMA0 systemd.watchdog_sec=0'
    cat "$IMAGE_DIR/boot/boot.cmd"
} >"$WORK/boot.cmd"
mkimage -A arm64 -O linux -T script -C none -n EdgeCam -d "$WORK/boot.cmd" "$OUT/pi/boot.scr" >/dev/null

# A good one: both halves of the slot say its version.
variant "$WORK/next"
says_version "$WORK/next" 0.2.0
squash "$WORK/next" "$WORK/next.img"
VERSION=0.2.0 boot_fat "$WORK/next" "$WORK/next.vfat"
make_bundle "$OUT/next.raucb" "$WORK/next.img" "$WORK/next.vfat" 0.2.0 "$COMPATIBLE"
# Another daemon in the same system: every block of it differs. Nobody runs it.
variant "$WORK/daemon"
says_version "$WORK/daemon" 0.2.0
rm "$WORK/daemon/usr/bin/edgecamd"
tr '\000' '\001' <"$ROOT/usr/bin/edgecamd" >"$WORK/daemon/usr/bin/edgecamd"
chmod 755 "$WORK/daemon/usr/bin/edgecamd"
squash "$WORK/daemon" "$WORK/daemon.img"
VERSION=0.2.0 boot_fat "$WORK/daemon" "$WORK/daemon.vfat"
make_bundle "$OUT/daemon.raucb" "$WORK/daemon.img" "$WORK/daemon.vfat" 0.2.0 "$COMPATIBLE"
# Its cameras give nothing.
variant "$WORK/blind"
says_version "$WORK/blind" 0.3.0
rm "$WORK/blind/usr/bin/edgecam-camera"
printf '#!/bin/sh\nexec sleep infinity\n' >"$WORK/blind/usr/bin/edgecam-camera"
chmod 755 "$WORK/blind/usr/bin/edgecam-camera"
pack "$WORK/blind" "$WORK/blind.img"
make_bundle "$OUT/blind.raucb" "$WORK/blind.img" "$BUILT/boot.vfat" 0.3.0 "$COMPATIBLE"
# Its daemon does not run.
variant "$WORK/dead"
says_version "$WORK/dead" 0.3.0
rm "$WORK/dead/usr/bin/edgecamd"
printf '#!/bin/sh\nexit 1\n' >"$WORK/dead/usr/bin/edgecamd"
chmod 755 "$WORK/dead/usr/bin/edgecamd"
pack "$WORK/dead" "$WORK/dead.img"
make_bundle "$OUT/dead.raucb" "$WORK/dead.img" "$BUILT/boot.vfat" 0.3.0 "$COMPATIBLE"
# Its kernel is none.
cp "$BUILT/boot.vfat" "$WORK/no-kernel.vfat"
head -c 1000000 /dev/zero >"$WORK/nothing"
mcopy -o -i "$WORK/no-kernel.vfat" "$WORK/nothing" ::/kernel
make_bundle "$OUT/no-kernel.raucb" "$WORK/next.img" "$WORK/no-kernel.vfat" 0.3.0 "$COMPATIBLE"
# Its kernel panics: nothing is left to run.
mcopy -i "$BUILT/boot.vfat" ::/kernel "$WORK/kernel"
printf '#!/bin/none\n' >"$WORK/panic"
with_init "$WORK/panic.vfat" "$WORK/panic"
make_bundle "$OUT/panic.raucb" "$WORK/next.img" "$WORK/panic.vfat" 0.3.0 "$COMPATIBLE"
# What is refused before anything is written needs no system.
head -c 1M /dev/urandom >"$WORK/small"
make_bundle "$OUT/older.raucb" "$WORK/small" "$WORK/small" 0.0.9 "$COMPATIBLE"
make_bundle "$OUT/other-device.raucb" "$WORK/small" "$WORK/small" 0.3.0 edgecam-toaster
# Its root is larger than the slot: zeros, which the update packs.
truncate -s $(($(size rootfs-a) + 8))M "$WORK/large"
make_bundle "$OUT/large.raucb" "$WORK/large" "$WORK/small" 0.3.0 "$COMPATIBLE"
head -c 100000000 "$OUT/next.raucb" >"$OUT/truncated.raucb"
eval "$(EDGECAM_CACHE=$WORK/strangers "$ROOT_DIR/ota/keys.sh")"
make_bundle "$OUT/stranger.raucb" "$WORK/small" "$WORK/small" 0.3.0 "$COMPATIBLE"

echo "EDGECAM_E2E=$OUT" >&3
echo "EDGECAM_IMAGE_TOOLS=$TOOLS" >&3
