#!/usr/bin/env bash
# Owns the test of the image with Raspberry Pi's kernel, as far as a machine gets that does not reach
# Raspberry Pi's archive: a signed archive on this disk stands in for it. Its kernel is Debian's under other
# names, its camera library one that must win over Debian's though it is older. After image.sh debian.
#
# usage: raspberrypi-test.sh
set -euo pipefail
IMAGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../../../firmware/setup/lib.sh
. "$IMAGE_DIR/../../firmware/setup/lib.sh"
# shellcheck disable=SC2034 # root.sh and slot.sh say it
KERNEL=debian
# shellcheck source=debian.env
. "$IMAGE_DIR/kernels/debian.env"
for part in tools root slot; do
    # shellcheck source=/dev/null
    . "$IMAGE_DIR/build/$part.sh"
done

ORIGIN='Raspberry Pi Foundation' RELEASE=6.12.99+rpt-rpi-v8
WORK=$(mktemp -d "$CACHE/image/raspberrypi-test.XXXXXX")
trap 'gpgconf --homedir "$WORK/gnupg" --kill all 2>/dev/null; rm -rf "$WORK"' EXIT
ok() { say "  ok      $*"; }
fail() { die "FAILED  $*"; }

# package NAME VERSION DEPENDS: of what is in $WORK/NAME.
package() {
    mkdir -p "$WORK/$1/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: arm64\nMaintainer: nobody <nobody@example.org>\nDescription: stands in\n%s' \
        "$1" "$2" "${3:+Depends: $3
}" >"$WORK/$1/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$WORK/$1" "$WORK/archive/$1_$2_arm64.deb" >/dev/null
}

# kernel: Debian's, named and laid out as Raspberry Pi does, with device trees of boards that Debian does not have.
kernel() {
    local tree=$WORK/linux-image-$RELEASE board
    base_tree
    mkdir -p "$tree"/{boot,usr/lib/modules} "$tree/usr/lib/linux-image-$RELEASE/"{broadcom,overlays}
    cp "$BASE"/boot/vmlinuz-* "$tree/boot/vmlinuz-$RELEASE"
    cp -r "$BASE"/usr/lib/modules/* "$tree/usr/lib/modules/$RELEASE"
    # shellcheck source=raspberrypi.env
    for board in $(. "$IMAGE_DIR/kernels/raspberrypi.env" && echo "$DEVICE_TREES"); do
        echo "$board" >"$tree/usr/lib/linux-image-$RELEASE/$board"
    done
    echo imx708 >"$tree/usr/lib/linux-image-$RELEASE/overlays/imx708.dtbo"
    package "linux-image-$RELEASE" 1:6.12.99-1+rpt1
    package linux-image-rpi-v8 1:6.12.99-1+rpt1 "linux-image-$RELEASE"
}

camera_library() {
    mkdir -p "$WORK/libcamera-ipa/usr/share/libcamera/ipa/rpi"
    echo '{}' >"$WORK/libcamera-ipa/usr/share/libcamera/ipa/rpi/stands-in.json"
    package libcamera-ipa 0.0.1+rpt1
}

# archive: signed, with a release of Debian's name.
archive() {
    local sums
    mkdir -p "$WORK/archive/dists/$IMAGE_SUITE/main/binary-arm64" "$WORK/gnupg"
    chmod 700 "$WORK/gnupg"
    kernel
    camera_library
    cd "$WORK/archive"
    dpkg-scanpackages --arch arm64 . >"dists/$IMAGE_SUITE/main/binary-arm64/Packages" 2>/dev/null
    sums=$(sha256sum "dists/$IMAGE_SUITE/main/binary-arm64/Packages" | cut -d' ' -f1)
    cat >"dists/$IMAGE_SUITE/Release" <<-RELEASE
		Origin: $ORIGIN
		Suite: stable
		Codename: $IMAGE_SUITE
		Architectures: arm64
		Components: main
		Date: $(date -Ru)
		SHA256:
		 $sums $(stat -c %s "dists/$IMAGE_SUITE/main/binary-arm64/Packages") main/binary-arm64/Packages
	RELEASE
    gpg --homedir "$WORK/gnupg" --batch --quiet --passphrase '' --quick-gen-key archive@example.org ed25519 sign never
    gpg --homedir "$WORK/gnupg" --export >"$WORK/archive.gpg"
    gpg --homedir "$WORK/gnupg" --batch --quiet --clearsign -o "dists/$IMAGE_SUITE/InRelease" "dists/$IMAGE_SUITE/Release"
    cd "$ROOT_DIR"
}

# known_to_apt: to an apt that is this machine's but for its lists and one archive more.
known_to_apt() {
    mkdir -p "$WORK"/{sources.d,lists/partial}
    cp -rL /etc/apt/sources.list.d/. "$WORK/sources.d/"
    echo "deb [arch=arm64 signed-by=$WORK/archive.gpg] copy:$WORK/archive $IMAGE_SUITE main" >"$WORK/sources.d/raspberrypi.list"
    printf 'Dir::Etc::SourceParts "%s";\nDir::State::Lists "%s";\nAPT::Sandbox::User "";\n' \
        "$WORK/sources.d" "$WORK/lists" >"$WORK/apt.conf"
    APT_CONFIG=$WORK/apt.conf apt-get update -qq
}

# cache: one of its own, so that no later build takes what stands in for the real packages.
cache() {
    mkdir -p "$WORK/cache/debs" "$WORK/cache/image"
    cp -al "$CACHE/debs/files" "$WORK/cache/debs/files"
    ln -s "$CACHE/cross" "$WORK/cache/cross"
    ln -s "$TOOLS" "$WORK/cache/image/$(basename "$TOOLS")"
    if [ -d "$CACHE/ota-keys" ]; then cp -r "$CACHE/ota-keys" "$WORK/cache/"; fi
}

image() { EDGECAM_CACHE=$WORK/cache LEVEL=1 "$IMAGE_DIR/build/image.sh" raspberrypi; }

if apt-get indextargets --format "\$(ORIGIN)" | grep -qx "$ORIGIN"; then
    say "  left out: apt on this machine knows the real archive, so what is said without it is not looked at"
else
    if image >"$WORK/log" 2>&1; then fail "an archive that apt does not know"; fi
    grep -q "knows no archive '$ORIGIN' of $IMAGE_SUITE for arm64: add it" "$WORK/log" ||
        { cat "$WORK/log"; fail "it is not said how to add the archive"; }
    ok "without the archive it is said how to add it"
fi

archive
known_to_apt
cache
APT_CONFIG=$WORK/apt.conf image
OUT=$WORK/cache/image/out/raspberrypi
ROOT=$WORK/cache/image/work-raspberrypi/root
CARD=$(echo "$OUT"/edgecam-*.img)

grep -q '^libcamera-ipa 0.0.1+rpt1 ' "$ROOT/usr/share/edgecam/packages.txt" || fail "Debian's libcamera-ipa is in the image"
grep -q "^linux-image-$RELEASE " "$ROOT/usr/share/edgecam/packages.txt" || fail "another kernel is in the image"
ok "its archive's packages win, older ones too"

grep -qx bootloader=custom "$ROOT/etc/rauc/system.conf" || fail "RAUC asks U-Boot"
[ ! -e "$ROOT/etc/fw_env.config" ] || fail "U-Boot's state is named"
[ -x "$ROOT/usr/lib/edgecam/tryboot/backend.sh" ] || fail "RAUC's backend is not in the root"
rauc info --keyring="$CACHE/ota-keys/ca.cert.pem" "$OUT"/*.raucb 2>&1 | grep -q "edgecam-raspberrypi-arm64" || fail "the update is for another device"
ok "slots are chosen by tryboot, updates are its own"

[ "$(mtype -i "$CARD@@1M" ::/autoboot.txt)" = "$("$IMAGE_DIR/tryboot/backend.sh" render A)" ] || fail "autoboot.txt does not name slot A"
BOOT=$CARD@@$((1 + $(size firmware)))M
for file in kernel8.img initrd.img config.txt cmdline-a.txt cmdline-b.txt overlays/imx708.dtbo bcm2711-rpi-4-b.dtb bcm2712-rpi-5-b.dtb; do
    mtype -i "$BOOT" "::/$file" >/dev/null || fail "the slot has no $file"
done
mtype -i "$BOOT" ::/cmdline-a.txt | grep -q 'root=PARTLABEL=rootfs-a rauc.slot=A' || fail "slot A starts another root"
ok "the Pi's own boot loader finds kernel, device trees and overlays in the slot"
