# Owns the initramfs: ota/image's, with this distribution's programs in it.
SUMMARY = "What finds the root and the data of an EdgeCam device"
SECTION = "base"
LICENSE = "Apache-2.0 | MIT"

PACKAGE_INSTALL = "busybox e2fsprogs-e2fsck"
# Of the kernel's modules those that ota/image names; what a kernel has built in or lacks is passed over.
PACKAGE_INSTALL_ATTEMPTONLY = "${@' '.join(edgecam.project.initramfs_modules(d))}"
NO_RECOMMENDATIONS = "1"
IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
IMAGE_NAME_SUFFIX = ""
IMAGE_FSTYPES = "initrd"

inherit image edgecam_part

do_rootfs[depends] += "kmod-native:do_populate_sysroot virtual/kernel:do_packagedata"
EDGECAM_PART_TASKS = "do_rootfs do_image_initrd"

# Modules lie flat, in the order in which they are loaded. The tree that the packages came in has no further use.
edgecam_own() {
    tree=${WORKDIR}/root-with-modules
    rm -rf $tree
    mkdir -p $tree/usr
    ln -s usr/lib $tree/lib
    cp -r ${IMAGE_ROOTFS}/usr/lib $tree/usr/lib
    rm -rf ${IMAGE_ROOTFS}/usr/lib/modules ${IMAGE_ROOTFS}/boot
    # Without any module there is nothing to order.
    [ ! -d $tree/usr/lib/modules ] || depmod -a -b $tree $(basename $tree/usr/lib/modules/*)
    edgecam_part initramfs_own $tree ${IMAGE_ROOTFS}
    rm -rf $tree
}
ROOTFS_POSTPROCESS_COMMAND:append = " edgecam_own"

IMAGE_TYPES += "initrd"
# nooelint: oelint.vars.specific
IMAGE_CMD:initrd = "edgecam_part initramfs_pack ${IMAGE_ROOTFS} ${IMGDEPLOYDIR}/${IMAGE_NAME}.initrd"
