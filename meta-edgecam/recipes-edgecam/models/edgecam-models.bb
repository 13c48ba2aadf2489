# Owns the detection models on the image: the files that the manifests in firmware/models name, by their sums.
# Without this package a device fetches the model itself, and detects with the demo model until then.
SUMMARY = "Detection models of EdgeCam"
HOMEPAGE = "https://github.com/nihui/ncnn-assets"
SECTION = "multimedia"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

PV = "${@edgecam.project.version(d)}"
# Names of manifests.
EDGECAM_MODELS ?= "nanodet-plus-m_320"

python () {
    for file, (address, sha256) in edgecam.project.models(d, d.getVar("EDGECAM_MODELS")).items():
        d.appendVar("SRC_URI", f" {address};name={file};downloadfilename={file}")
        d.setVarFlag("SRC_URI", f"{file}.sha256sum", sha256)
}

inherit allarch

S = "${UNPACKDIR}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${datadir}/edgecam/models ${D}${systemd_system_unitdir}/edgecamd.service.d
    install -m 644 ${S}/*.param ${S}/*.bin ${D}${datadir}/edgecam/models
    printf '[Service]\nEnvironment=EDGECAM_MODELS=%s\n' ${datadir}/edgecam/models \
        >${D}${systemd_system_unitdir}/edgecamd.service.d/50-models.conf
}

FILES:${PN} += "${datadir}/edgecam/models ${systemd_system_unitdir}/edgecamd.service.d"
