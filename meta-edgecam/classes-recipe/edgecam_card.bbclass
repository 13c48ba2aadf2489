# Owns the card: its partitions are ota/image's, as wic wants them told (files/wic/edgecam.wks.in).
WKS_FILE = "edgecam.wks.in"
# The partitions come as whole files: no boot loader, and no tool that makes file systems.
WKS_FILE_DEPENDS = "bmaptool-native"
# nooelint: oelint.vars.specific
IMAGE_TYPEDEP:wic = "slot"
do_image_wic[depends] += "edgecam-boot:do_deploy edgecam-card:do_deploy"

EDGECAM_CARD = "${@edgecam.project.render(d, 'wks', \
    d.expand('firmware=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-firmware.vfat'), \
    d.expand('env=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-env.img'), \
    d.expand('boot-a=${DEPLOY_DIR_IMAGE}/edgecam-boot-${MACHINE}.vfat'), \
    d.expand('rootfs-a=${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.slot'), \
    d.expand('data=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-data.ext4'))}"
