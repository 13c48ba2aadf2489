# Owns what a card has beside its slots: the boot loader's partition, the first state of the slots, empty data.
SUMMARY = "First contents of an EdgeCam card"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "bsp"
LICENSE = "Apache-2.0 | MIT"

inherit nopackages deploy edgecam_part

INHIBIT_DEFAULT_DEPS = "1"
DEPENDS += "dosfstools-native e2fsprogs-native mtools-native u-boot-tools-native"
PACKAGE_ARCH = "${MACHINE_ARCH}"

EDGECAM_PART_TASKS = "do_compile"

do_compile() {
    edgecam_part firmware_fat ${B}/firmware.vfat
    edgecam_part slot_state ${B}/env.img
    edgecam_part data_ext4 ${B}/data.ext4
}

do_deploy() {
    for file in firmware.vfat env.img data.ext4; do
        install -m 644 ${B}/$file ${DEPLOYDIR}/edgecam-${MACHINE}-$file
    done
}
addtask deploy after do_compile before do_build

do_configure[noexec] = "1"
do_install[noexec] = "1"
