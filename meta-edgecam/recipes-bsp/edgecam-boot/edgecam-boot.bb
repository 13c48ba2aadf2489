# Owns the boot partition of a slot: kernel, initramfs, device trees, and on a Pi what its boot loader reads.
SUMMARY = "Boot partition of an EdgeCam slot"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "bsp"
LICENSE = "Apache-2.0 | MIT"

inherit nopackages deploy edgecam_part

INHIBIT_DEFAULT_DEPS = "1"
DEPENDS += "dosfstools-native mtools-native"
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_compile[depends] += "virtual/kernel:do_deploy edgecam-initramfs:do_image_complete ${EDGECAM_BOOT_FIRMWARE}"
EDGECAM_BOOT_FIRMWARE = ""
EDGECAM_BOOT_FIRMWARE:rpi = "rpi-bootfiles:do_deploy"
EDGECAM_PART_TASKS = "do_compile"

# The builder looks for these where Debian's packages have them.
edgecam_as_packaged() {
    trees=${WORKDIR}/base/usr/lib/linux-image-${MACHINE}
    rm -rf ${WORKDIR}/base ${WORKDIR}/firmware
    install -D -m 644 ${DEPLOY_DIR_IMAGE}/${KERNEL_IMAGETYPE} ${WORKDIR}/base/boot/vmlinuz-${MACHINE}
    mkdir -p $trees/overlays
    for tree in ${KERNEL_DEVICETREE}; do
        install -D -m 644 ${DEPLOY_DIR_IMAGE}/$(basename $tree) $trees/$tree
    done
}
edgecam_as_packaged:append:rpi() {
    for file in start4.elf fixup4.dat; do
        install -D -m 644 ${DEPLOY_DIR_IMAGE}/${BOOTFILES_DIR_NAME}/$file ${WORKDIR}/firmware/usr/lib/raspi-firmware/$file
    done
}

do_compile() {
    edgecam_as_packaged
    edgecam_part slot_fat ${DEPLOY_DIR_IMAGE}/edgecam-initramfs-${MACHINE}.initrd ${B}/boot.vfat
}

do_deploy() {
    install -m 644 ${B}/boot.vfat ${DEPLOYDIR}/edgecam-boot-${MACHINE}.vfat
}
addtask deploy after do_compile before do_build

do_configure[noexec] = "1"
do_install[noexec] = "1"
