# shellcheck shell=bash
# Owns the card: the boot loaders' partition, the first state of the slots, slot
# A, and an empty data partition. Sourced by image.sh after slot.sh.

# firmware_fat FILE: what the Pi's ROM and first boot loader read.
firmware_fat() {
    local tree=$WORK/firmware
    rm -rf "$tree"
    mkdir -p "$tree"
    "firmware_$BOOTLOADER" "$tree"
    fat "$tree" "$1" "$(size firmware)" FIRMWARE
}

firmware_custom() { "$IMAGE_DIR/tryboot/backend.sh" render A >"$1/autoboot.txt"; }

firmware_uboot() {
    # A virtual machine has its boot loader, and its device tree, from elsewhere.
    [ -z "$DEVICE_TREES" ] || uboot_on_a_pi "$1"
    mkimage -A arm64 -O linux -T script -C none -n EdgeCam -d "$IMAGE_DIR/boot/boot.cmd" "$1/boot.scr" >/dev/null
}

uboot_on_a_pi() {
    local device
    cp "$FIRMWARE"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat} "$1/"
    cp "$FIRMWARE/usr/lib/u-boot/rpi_arm64/u-boot.bin" "$1/"
    cp "$IMAGE_DIR/boot/config.txt" "$1/"
    for device in $DEVICE_TREES; do cp "$BASE"/usr/lib/linux-image-*/"$device" "$1/"; done
}

# slot_state FILE: A first, each with its tries.
slot_state() {
    printf 'BOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=3\n' >"$WORK/state.txt"
    mkenvimage -s 512 -o "$WORK/state" "$WORK/state.txt"
    cat "$WORK/state" "$WORK/state" >"$1"
}

# data_ext4 FILE: grown on the card by the first start.
data_ext4() {
    rm -f "$1"
    # orphan_file: e2fsck of the initramfs is as new, readers of a card at home may not be.
    # -m: root has half a MiB of its own, for RAUC's notes on a full disk. It does not grow with the
    # partition, as the kernel adds whole percents only: the default would keep 5 % of the card from its owner.
    E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mkfs.ext4 -q -b 4096 -L data -m 0.9 -O ^orphan_file \
        -U ec5ca3e0-0000-4000-8000-0000000000da -E hash_seed=ec5ca3e0-0000-4000-8000-0000000000db,root_owner=0:0 \
        "$1" "$(size data)M"
}

# make_card FILE ROOT_IMAGE BOOT_IMAGE
make_card() {
    local parts=$WORK/parts
    rm -rf "$parts" "$WORK/genimage"
    mkdir -p "$parts" "$WORK/genimage/root"
    firmware_fat "$parts/firmware.img"
    slot_state "$parts/env.img"
    data_ext4 "$parts/data.img"
    ln "$2" "$parts/rootfs-a.img"
    ln "$3" "$parts/boot-a.img"
    "$IMAGE_DIR/build/render.py" card "$parts" >"$WORK/card.cfg"
    run_logged "writing the card" "$LOGS/image-card.log" : \
        genimage --config "$WORK/card.cfg" --rootpath "$WORK/genimage/root" --inputpath "$parts" \
        --outputpath "$WORK/genimage/out" --tmppath "$WORK/genimage/tmp"
    mv "$WORK/genimage/out/card.img" "$1"
}
