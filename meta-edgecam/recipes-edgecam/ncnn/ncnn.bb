# Owns ncnn, the inference library: the version, options and layers of firmware/setup. Its source comes from the
# Python package index, as set-up's does: one archive, one sum, and it has what git keeps in submodules.
SUMMARY = "Neural network inference for phones and small computers"
HOMEPAGE = "https://github.com/Tencent/ncnn"
SECTION = "libs"
LICENSE = "BSD-3-Clause"
LIC_FILES_CHKSUM = "file://LICENSE.txt;md5=d2141d1a2c978a089d3de7a67db0bbd2"

PV = "1.0.${@edgecam.project.pinned(d, 'NCNN_VERSION')}"
SRC_URI[sha256sum] = "${@edgecam.project.pinned(d, 'NCNN_SDIST_SHA256')}"

inherit pypi cmake

EXTRA_OECMAKE = "\
    -DNCNN_VERSION=${@edgecam.project.pinned(d, 'NCNN_VERSION')} \
    ${@edgecam.project.ncnn_options(d, d.getVar('TARGET_ARCH'))} \
"

# What is left out stands in the source: known once that is unpacked.
EXTRA_OECMAKE += "$(cat ${WORKDIR}/layers-off)"
do_configure:prepend() {
    bash ${EDGECAM_ROOT}/firmware/setup/ncnn-layers.sh ${S} >${WORKDIR}/layers-off
}
do_configure[file-checksums] += "${EDGECAM_ROOT}/firmware/setup/ncnn-layers.txt:True ${EDGECAM_ROOT}/firmware/setup/ncnn-layers.sh:True"

# A static library alone: there is nothing to install on a device.
ALLOW_EMPTY:${PN} = "1"
