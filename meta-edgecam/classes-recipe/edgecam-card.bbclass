# Owns the card: its partitions are ota/image's, as wic wants them told (files/wic/edgecam.wks.in).
WKS_FILE = "edgecam.wks.in"
# What chooses the slot is in the parts.
WKS_FILE_DEPENDS_BOOTLOADERS = ""
IMAGE_TYPEDEP:wic = "slot"
do_image_wic[depends] += "edgecam-boot:do_deploy edgecam-card:do_deploy"

EDGECAM_CARD = "${@edgecam.project.render(d, 'wks', \
    d.expand('firmware=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-firmware.vfat'), \
    d.expand('env=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-env.img'), \
    d.expand('boot-a=${DEPLOY_DIR_IMAGE}/edgecam-boot-${MACHINE}.vfat'), \
    d.expand('rootfs-a=${IMGDEPLOYDIR}/${IMAGE_NAME}.slot'), \
    d.expand('data=${DEPLOY_DIR_IMAGE}/edgecam-${MACHINE}-data.ext4'))}"
