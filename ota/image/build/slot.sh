# shellcheck shell=bash
# Owns the boot partition of a slot: kernel, initramfs and device trees. Sourced
# by image.sh after tools.sh and root.sh.

# initramfs ROOT FILE: from the programs of FIRMWARE and the modules of ROOT,
# always the same bytes.
initramfs() {
    local tree=$WORK/initramfs
    rm -rf "$tree"
    mkdir -p "$tree"/{bin,sbin}
    install -m 755 "$FIRMWARE/usr/bin/busybox" "$tree/bin/busybox"
    install -m 755 "$FIRMWARE/usr/sbin/e2fsck.static" "$tree/sbin/e2fsck"
    initramfs_own "$1" "$tree"
    [ -s "$tree/modules.order" ] || die "no module of the initramfs is in the kernel's package"
    initramfs_pack "$tree" "$2"
}

# initramfs_own ROOT TREE: what runs in it, and the modules of ROOT that it needs.
initramfs_own() {
    local root=$1 tree=$2 kernel module file
    kernel=$(basename "$root"/usr/lib/modules/*)
    mkdir -p "$tree"/{lib/modules,proc,sys,dev,run,root}
    install -m 755 "$IMAGE_DIR/initramfs/init" "$tree/init"
    install -m 644 "$IMAGE_DIR/etc-kept.txt" "$tree/etc-kept.txt"
    echo "$VERSION" >"$tree/version"
    sed 's/#.*//' "$IMAGE_DIR/initramfs/modules.txt" | tr -s ' ' '\n' | while read -r module; do
        # One that the kernel has built in or lacks is no failure.
        modprobe --dirname "$root" --set-version "$kernel" --show-depends "$module" 2>/dev/null || true
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$WORK/modules"
    while read -r file; do
        module=$(basename "$file" .xz)
        case $file in *.xz) xz -dc "$file" ;; *) cat "$file" ;; esac >"$tree/lib/modules/$module"
        echo "$module"
    done <"$WORK/modules" >"$tree/modules.order"
}

# initramfs_pack TREE FILE
initramfs_pack() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    # The version last: an update that changes nothing else has all blocks but the last ones in common.
    (cd "$1" && { find . ! -name version -print0 | LC_ALL=C sort -z; printf './version\0'; } |
        cpio --null --quiet -o -H newc -R 0:0 --reproducible) | zstd -19 -q -f -o "$2"
}

# boot_fat ROOT FILE
boot_fat() {
    initramfs "$1" "$WORK/initrd.img"
    slot_fat "$WORK/initrd.img" "$2"
}

# slot_fat INITRAMFS FILE: the slot's FAT partition, the same for either slot.
slot_fat() {
    local tree=$WORK/boot
    rm -rf "$tree"
    mkdir -p "$tree"
    cp "$1" "$tree/initrd.img"
    "for_$BOOTLOADER" "$tree"
    # Smaller than its partition: an update brings a hash of each of its blocks, of empty ones too.
    fat "$tree" "$2" 64 BOOT
}

# for_uboot TREE: what boot.cmd loads.
for_uboot() {
    local device
    cp "$BASE"/boot/vmlinuz-* "$1/kernel"
    for device in $DEVICE_TREES; do
        install -D -m 644 "$BASE"/usr/lib/linux-image-*/"$device" "$1/dtbs/$device"
    done
}

# for_custom TREE: what the Pi's own boot loader reads from the partition that autoboot.txt names.
for_custom() {
    local device slot
    cp "$BASE"/boot/vmlinuz-* "$1/kernel8.img"
    cp "$FIRMWARE"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat} "$IMAGE_DIR/tryboot/config.txt" "$1/"
    cp -r "$BASE"/usr/lib/linux-image-*/overlays "$1/overlays"
    for device in $DEVICE_TREES; do cp "$BASE"/usr/lib/linux-image-*/"$device" "$1/"; done
    for slot in a b; do
        "$IMAGE_DIR/build/render.py" cmdline "$slot" >"$1/cmdline-$slot.txt"
    done
}

# fat TREE FILE MIB LABEL: a FAT32 file system, always the same bytes.
fat() {
    rm -f "$2"
    find "$1" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
    mkfs.vfat -C -F 32 -n "$4" -i ec5ca3e0 --invariant "$2" $(($3 * 1024)) >/dev/null
    (cd "$1" && find . -mindepth 1 -maxdepth 1 | LC_ALL=C sort | while read -r name; do mcopy -m -s -i "$2" "$name" ::/; done)
}

size() { "$IMAGE_DIR/build/render.py" size "$1"; }
