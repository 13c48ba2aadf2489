# Owns the product's programs, built from the checkout in which the layer lies, and their users.
SUMMARY = "EdgeCam: daemon, camera process, command line"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "multimedia"
LICENSE = "Apache-2.0 | MIT"
LIC_FILES_CHKSUM = "file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 file://LICENSE-MIT;md5=bd9b61149c9595cc876da385baf9ba0e"

PV = "${@edgecam.project.version(d)}"

# What cargo reads of the workspace, and nothing beside it: a changed document builds nothing anew.
FILESEXTRAPATHS:prepend := "${EDGECAM_ROOT}:"
SRC_URI = "${@' '.join('file://%s;subdir=edgecam' % part for part in '${PARTS}'.split())}"
PARTS = "Cargo.toml Cargo.lock LICENSE-APACHE LICENSE-MIT api \
    firmware/Cargo.toml firmware/benches firmware/config firmware/crates firmware/fuzz firmware/models firmware/src \
    ota/Cargo.toml ota/src ota/e2e"
require edgecam-crates.inc

S = "${UNPACKDIR}/edgecam"

inherit cargo pkgconfig useradd

DEPENDS += "ncnn gstreamer1.0 gstreamer1.0-plugins-base"

# Looked at by the build of the crate ncnn.
export EDGECAM_NCNN_DIR = "${STAGING_DIR_TARGET}${prefix}"

PROGRAMS = "edgecamd edgecam-camera edgecam"
CARGO_BUILD_FLAGS += "-p edgecamd -p edgecam-camera -p edgecam-cli"

do_install() {
    for program in ${PROGRAMS}; do
        install -D -m 755 ${B}/target/${CARGO_TARGET_SUBDIR}/$program ${D}${bindir}/$program
    done
}

# With the numbers of ota/image: data outlive the system that wrote them.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "${@edgecam.project.users(d)['groups']}"
USERADD_PARAM:${PN} = "${@edgecam.project.users(d)['users']}"
GROUPMEMS_PARAM:${PN} = "${@edgecam.project.users(d)['members']}"

COMPATIBLE_HOST = "aarch64.*-linux"
