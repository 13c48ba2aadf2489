# shellcheck shell=bash
# Owns the update: a signed RAUC bundle with the root and the boot partition of a
# slot. Sourced after tools.sh.

# make_bundle FILE ROOT_IMAGE BOOT_IMAGE VERSION COMPATIBLE
make_bundle() {
    local tree=$WORK/bundle
    rm -rf "$tree" "$1"
    mkdir -p "$tree"
    ln "$2" "$tree/rootfs.img"
    ln "$3" "$tree/boot.vfat"
    cat >"$tree/manifest.raucm" <<-MANIFEST
		[update]
		compatible=$5
		version=$4

		[bundle]
		format=verity

		[image.rootfs]
		filename=rootfs.img
		adaptive=block-hash-index

		[image.boot]
		filename=boot.vfat
		adaptive=block-hash-index
	MANIFEST
    # shellcheck disable=SC2154 # keys.sh says them
    run_logged "signing the update" "$LOGS/image-bundle.log" : \
        rauc bundle --cert="$cert" --key="$key" --keyring="$keyring" ${intermediate:+--intermediate="$intermediate"} \
        --mksquashfs-args="-comp zstd -Xcompression-level 3 -b 64K" "$tree" "$1"
}
