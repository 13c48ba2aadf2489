# Owns how the root of an image becomes EdgeCam's: the overlay of ota/image goes over the packages' files, its
# preset says what starts, and the whole is packed as ota/image packs it.
inherit edgecam_part

DEPENDS += "squashfs-tools-native systemd-systemctl-native"
EDGECAM_PART_TASKS = "do_rootfs do_image_slot"

# Of the kernel's modules those go that ota/image leaves out: for hardware that no board has.
# depmod runs after this, as for every image.
edgecam_drop_modules() {
    modules=${IMAGE_ROOTFS}${nonarch_base_libdir}/modules
    sed 's/#.*//' ${EDGECAM_IMAGE}/drop.txt | tr -s ' ' '\n' | sed -n 's#^usr/lib/modules/##p' | while read -r pattern; do
        find $modules -path "$modules/$pattern" ! -type d -delete
    done
    find $modules -type d -empty -delete
}

# What packages start by themselves is not asked; overlay and preset come last.
edgecam_own_root() {
    edgecam_drop_modules
    rm -rf ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/* ${IMAGE_ROOTFS}/boot ${IMAGE_ROOTFS}${sysconfdir}/issue*
    edgecam_part overlay ${IMAGE_ROOTFS}
    edgecam_part finish ${IMAGE_ROOTFS}
}
ROOTFS_POSTPROCESS_COMMAND:append = " edgecam_own_root"

IMAGE_TYPES += "slot"
# nooelint: oelint.vars.specific
IMAGE_CMD:slot = "edgecam_part squash ${IMAGE_ROOTFS} ${IMGDEPLOYDIR}/${IMAGE_NAME}.slot"
do_image_slot[depends] += "squashfs-tools-native:do_populate_sysroot"
