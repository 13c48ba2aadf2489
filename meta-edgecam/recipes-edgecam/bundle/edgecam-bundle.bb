# Owns the update: a signed RAUC bundle with the root and the boot partition of a slot.
SUMMARY = "EdgeCam update"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "base"
LICENSE = "Apache-2.0 | MIT"

inherit bundle

RAUC_BUNDLE_COMPATIBLE = "${EDGECAM_COMPATIBLE}"
RAUC_BUNDLE_VERSION = "${DISTRO_VERSION}"
RAUC_BUNDLE_BUILD = "${EDGECAM_COMMIT}"
RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_SLOTS = "rootfs boot"

# A device takes from the slot that runs what it has already: blocks are found by their hashes.
RAUC_SLOT_rootfs = "edgecam-image"
RAUC_SLOT_rootfs[file] = "edgecam-image-${MACHINE}.slot"
RAUC_SLOT_rootfs[rename] = "rootfs.img"
RAUC_SLOT_rootfs[adaptive] = "block-hash-index"
RAUC_SLOT_boot = "edgecam-boot"
RAUC_SLOT_boot[type] = "boot"
RAUC_SLOT_boot[file] = "edgecam-boot-${MACHINE}.vfat"
RAUC_SLOT_boot[rename] = "boot.vfat"
RAUC_SLOT_boot[adaptive] = "block-hash-index"

RAUC_CERT_FILE = "${@d.getVar('EDGECAM_OTA_CERT') or d.expand('${EDGECAM_KEYS}/ota-keys/signer.cert.pem')}"
RAUC_KEY_FILE = "${@d.getVar('EDGECAM_OTA_KEY') or d.expand('${EDGECAM_KEYS}/ota-keys/signer.key.pem')}"
RAUC_KEYRING_FILE = "${@d.getVar('EDGECAM_OTA_KEYRING') or d.expand('${EDGECAM_KEYS}/ota-keys/ca.cert.pem')}"
BUNDLE_ARGS = "--keyring=${RAUC_KEYRING_FILE} --mksquashfs-args='-comp zstd -Xcompression-level 3 -b 64K'"
BUNDLE_ARGS:append = " ${@'--intermediate=' + d.getVar('EDGECAM_OTA_INTERMEDIATE') if d.getVar('EDGECAM_OTA_INTERMEDIATE') else ''}"

# ota/keys.sh refuses what devices would refuse later; without keys of production it makes those of development.
DEPENDS += "openssl-native"
edgecam_keys() {
    EDGECAM_CACHE="${EDGECAM_KEYS}" EDGECAM_OTA_CERT="${EDGECAM_OTA_CERT}" EDGECAM_OTA_KEY="${EDGECAM_OTA_KEY}" \
    EDGECAM_OTA_KEYRING="${EDGECAM_OTA_KEYRING}" EDGECAM_OTA_INTERMEDIATE="${EDGECAM_OTA_INTERMEDIATE}" \
        bash ${EDGECAM_ROOT}/ota/keys.sh >/dev/null
}
do_bundle[prefuncs] += "edgecam_keys"
do_bundle[file-checksums] += "${EDGECAM_ROOT}/ota/keys.sh:True"
