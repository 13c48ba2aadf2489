# Owns how a recipe runs a function of ota/image/build: `edgecam_part FUNCTION ARGUMENT...`. The tools that these
# want are the recipe's to depend on; a task that calls it names itself in EDGECAM_PART_TASKS, so that it runs
# again when the builder changes.
DEPENDS += "openssl-native"

edgecam_part() {
    WORK="${WORKDIR}/part" KEYS="${EDGECAM_KEYS}" SOURCE_DATE_EPOCH="${EDGECAM_EPOCH}" \
    VERSION="${DISTRO_VERSION}" COMPATIBLE="${EDGECAM_COMPATIBLE}" COMMIT="${EDGECAM_COMMIT}" KERNEL="${MACHINE}" \
    BOOTLOADER="${EDGECAM_BOOTLOADER}" OLDEST="${EDGECAM_MIN_VERSION}" \
    BASE="${WORKDIR}/base" FIRMWARE="${WORKDIR}/firmware" DEVICE_TREES="${EDGECAM_DEVICE_TREES}" \
    EDGECAM_OTA_CERT="${EDGECAM_OTA_CERT}" EDGECAM_OTA_KEY="${EDGECAM_OTA_KEY}" \
    EDGECAM_OTA_KEYRING="${EDGECAM_OTA_KEYRING}" EDGECAM_OTA_INTERMEDIATE="${EDGECAM_OTA_INTERMEDIATE}" \
        bash ${EDGECAM_LAYER}/scripts/part.sh "$@"
}

# Device trees of the machine, as its kernel has them, without overlays.
EDGECAM_DEVICE_TREES = "${@' '.join(tree for tree in (d.getVar('KERNEL_DEVICETREE') or '').split() \
    if tree.endswith('.dtb') and not tree.startswith('overlays/'))}"

EDGECAM_PART_TASKS ?= ""
EDGECAM_PART_DIGEST = "${@edgecam.project.digest(d)}"
python () {
    for task in d.getVar("EDGECAM_PART_TASKS").split():
        d.appendVarFlag(task, "vardeps", " EDGECAM_PART_DIGEST")
        d.appendVarFlag(task, "file-checksums", d.expand(" ${EDGECAM_LAYER}/scripts/part.sh:True"))
        if d.getVar("EDGECAM_OTA_KEYRING"):
            d.appendVarFlag(task, "file-checksums", d.expand(" ${EDGECAM_OTA_KEYRING}:True"))
}
