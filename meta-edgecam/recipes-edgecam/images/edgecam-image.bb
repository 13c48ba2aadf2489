# Owns the image: what is in its root beside the overlay of ota/image, and in which forms it is handed out.
SUMMARY = "EdgeCam, read-only, with two slots"
SECTION = "base"
LICENSE = "Apache-2.0 | MIT"

IMAGE_INSTALL = "packagegroup-edgecam"
IMAGE_INSTALL:append:with-debug = " packagegroup-edgecam-debug"
IMAGE_FEATURES = "read-only-rootfs"
# Presets and configuration are ota/image's; nothing is installed because it might be nice to have.
NO_RECOMMENDATIONS = "1"
PACKAGE_EXCLUDE = "rauc-mark-good rauc-conf"
IMAGE_NAME_SUFFIX = ""

inherit image edgecam_root edgecam_card

# What a partition holds as a whole, and the card.
IMAGE_FSTYPES = "slot wic.zst wic.bmap"
