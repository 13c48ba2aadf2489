# Owns the product's programs, built from the checkout in which the layer lies, and their users.
SUMMARY = "EdgeCam: daemon, camera process, command line"
HOMEPAGE = "https://github.com/edgecam/edgecam"
SECTION = "multimedia"
LICENSE = "Apache-2.0 | MIT"
LIC_FILES_CHKSUM = "file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 file://LICENSE-MIT;md5=bd9b61149c9595cc876da385baf9ba0e"

DEPENDS = "gstreamer1.0 gstreamer1.0-plugins-base ncnn"
PV = "${@edgecam.project.version(d)}"

# What cargo reads of the workspace, and nothing beside it: a changed document builds nothing anew.
# nooelint: oelint.vars.fileextrapaths,oelint.vars.outofcontext
FILESEXTRAPATHS:prepend := "${EDGECAM_ROOT}:"
SRC_URI = "\
    file://Cargo.lock;subdir=edgecam \
    file://Cargo.toml;subdir=edgecam \
    file://LICENSE-APACHE;subdir=edgecam \
    file://LICENSE-MIT;subdir=edgecam \
    file://api;subdir=edgecam \
    file://firmware/Cargo.toml;subdir=edgecam \
    file://firmware/benches;subdir=edgecam \
    file://firmware/config;subdir=edgecam \
    file://firmware/crates;subdir=edgecam \
    file://firmware/fuzz;subdir=edgecam \
    file://firmware/models;subdir=edgecam \
    file://firmware/src;subdir=edgecam \
    file://ota/Cargo.toml;subdir=edgecam \
    file://ota/e2e;subdir=edgecam \
    file://ota/src;subdir=edgecam \
"
require edgecam-crates.inc

S = "${UNPACKDIR}/edgecam"

inherit cargo pkgconfig useradd

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
