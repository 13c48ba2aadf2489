# Owns the way into an image with the feature `debug`: a shell of root on the console without a question, and SSH
# for the keys in EDGECAM_DEBUG_KEYS. There is no password, and none is asked for.
SUMMARY = "A shell on the console, and SSH with a key"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "devel"
LICENSE = "Apache-2.0 | MIT"
LIC_FILES_CHKSUM = "\
    file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10 \
    file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302 \
"

# A file as ~/.ssh/authorized_keys is. Without one nobody comes in over the network.
EDGECAM_DEBUG_KEYS ??= ""

SRC_URI = "file://edgecam-debug-shell.service file://00-edgecam-debug.preset file://dropbear"

inherit allarch systemd

S = "${UNPACKDIR}"
SYSTEMD_SERVICE:${PN} = "edgecam-debug-shell.service"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 644 ${S}/edgecam-debug-shell.service ${D}${systemd_system_unitdir}/edgecam-debug-shell.service
    # Before ota/image's own preset, which disables what it does not name.
    install -D -m 644 ${S}/00-edgecam-debug.preset ${D}${systemd_unitdir}/system-preset/00-edgecam-debug.preset
    install -d -m 700 ${D}${ROOT_HOME}/.ssh
    if [ -n "${EDGECAM_DEBUG_KEYS}" ]; then
        install -m 600 "${EDGECAM_DEBUG_KEYS}" ${D}${ROOT_HOME}/.ssh/authorized_keys
    fi
    install -D -m 644 ${S}/dropbear ${D}${systemd_system_unitdir}/dropbear@.service.d/50-edgecam.conf
}
do_install[file-checksums] += "${@d.getVar('EDGECAM_DEBUG_KEYS') + ':True' if d.getVar('EDGECAM_DEBUG_KEYS') else ''}"

FILES:${PN} += "${systemd_unitdir} ${ROOT_HOME}"
