# shellcheck shell=bash
# Owns the programs that make and boot an image: those of one Debian release,
# whatever the building machine has of its own, in a tree in the cache with one
# wrapper each, which needs neither root nor chroot. Sourced after lib.sh; sets
# TOOLS and puts the wrappers first on PATH.

TOOL_PACKAGES=(qemu-system-arm genimage mtools dosfstools e2fsprogs squashfs-tools rauc u-boot-qemu
    u-boot-tools libubootenv-tool device-tree-compiler kmod cpio zstd xz-utils systemd fdisk
    bmap-tools)
TOOL_KEY=$(printf '%s\n' "$IMAGE_SUITE" "${TOOL_PACKAGES[@]}" | cat - "$SETUP_DIR/debs.sh" "${BASH_SOURCE[0]}" | short_hash)
TOOLS=$CACHE/image/tools-$TOOL_KEY

tools_done() { [ -f "$TOOLS/.wrapped" ]; }

# wrap PROGRAM: it runs with the libraries of its own release.
wrap() {
    local name
    name=$(basename "$1")
    cat >"$TOOLS/wrap/$name" <<-WRAPPER
		#!/bin/sh
		exec '$TOOLS/usr/lib64/ld-linux-x86-64.so.2' --argv0 "\$0" --library-path '$TOOLS/usr/lib/x86_64-linux-gnu:$TOOLS/usr/lib/x86_64-linux-gnu/systemd' '$1' "\$@"
	WRAPPER
    chmod 755 "$TOOLS/wrap/$name"
}

make_tools() {
    local folder program
    tools_done && return
    run_logged "unpacking the image's tools" "$LOGS/image-tools.log" : \
        "$SETUP_DIR/debs.sh" "$(dpkg --print-architecture)" "$IMAGE_SUITE" "$TOOLS" "${TOOL_PACKAGES[@]}"
    mkdir "$TOOLS/wrap"
    for folder in bin sbin; do
        for program in "$TOOLS/usr/$folder"/{qemu-system-aarch64,genimage,mcopy,mmd,mdir,mdel,mtype,mkimage,mkenvimage,mkfs.vfat,mkfs.ext4,mkdosfs,mke2fs,debugfs,e2fsck,resize2fs,mksquashfs,unsquashfs,rauc,fw_printenv,fw_setenv,depmod,modprobe,kmod,cpio,zstd,xz,systemctl,systemd-sysusers,sfdisk,fdtput,fdtget,dtc}; do
            [ ! -f "$program" ] || [ "$(head -c 4 "$program" | tail -c 3)" != ELF ] || wrap "$program"
        done
    done
    touch "$TOOLS/.wrapped"
}

with_lock image-tools make_tools
export PATH=$TOOLS/wrap:$PATH MKE2FS_CONFIG=$TOOLS/etc/mke2fs.conf
export QEMU_DATA=$TOOLS/usr/share/qemu QEMU_UBOOT=$TOOLS/usr/lib/u-boot/qemu_arm64/u-boot.bin
