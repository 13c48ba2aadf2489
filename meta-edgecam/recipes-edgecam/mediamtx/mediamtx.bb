# Owns MediaMTX, the media server, built from its Go module with the Go of the distribution. The module lacks what
# a release generates: the version, and the player that its HLS page embeds.
SUMMARY = "Media server: RTSP, WebRTC and HLS"
HOMEPAGE = "https://github.com/bluenviron/mediamtx"
SECTION = "multimedia"
# Its own, and those of the modules that are linked in.
LICENSE = "MIT & Apache-2.0 & BSD-2-Clause & BSD-3-Clause & MPL-2.0"
LIC_FILES_CHKSUM = "file://${GO_WORKDIR}/LICENSE;md5=77fd2623bd5398430be5ce60489c2e81"

PV = "${@edgecam.project.pinned(d, 'MEDIAMTX_VERSION')}"
SRC_URI = "https://cdn.jsdelivr.net/npm/hls.js@${HLSJS_VERSION}/dist/hls.min.js;name=hlsjs;downloadfilename=mediamtx-${PV}-hls.min.js"
SRC_URI[hlsjs.sha256sum] = "${@edgecam.project.pinned(d, 'HLSJS_SHA256')}"
# MediaMTX itself is one of its modules.
require mediamtx-modules.inc

GO_IMPORT = "github.com/bluenviron/mediamtx"
GO_WORKDIR = "src/${GO_IMPORT}@v${PV}"
GO_INSTALL = "."

inherit go-mod

S = "${UNPACKDIR}"
mediamtx_source() {
    python3 -m zipfile -e ${GOMODCACHE}/cache/download/${GO_IMPORT}/@v/v${PV}.zip ${S}/src
}
do_unpack[postfuncs] += "mediamtx_source"

# As the releases are: nothing of C in it.
export CGO_ENABLED = "0"
# The compiler that is here, the modules that are here.
export GOTOOLCHAIN = "local"
export GOPROXY = "off"

HLS = "${S}/${GO_WORKDIR}/internal/servers/hls"
do_configure:append() {
    printf 'v%s' ${PV} >${S}/${GO_WORKDIR}/internal/core/VERSION
    [ "$(tr -d 'v[:space:]' <${HLS}/hlsjsdownloader/VERSION)" = ${HLSJS_VERSION} ]
    cp ${S}/mediamtx-${PV}-hls.min.js ${HLS}/hls.min.js
    # Releases embed a camera program; EdgeCam has its own. The folder must hold a file.
    mkdir -p ${S}/${GO_WORKDIR}/internal/staticsources/rpicamera/mtxrpicam_64
    echo 'not included' >${S}/${GO_WORKDIR}/internal/staticsources/rpicamera/mtxrpicam_64/README
}

do_compile() {
    cd ${S}/${GO_WORKDIR}
    TMPDIR=${GOTMPDIR} ${GO} build ${GOBUILDFLAGS} -buildvcs=false -o ${B}/mediamtx .
}

do_install() {
    install -D -m 755 ${B}/mediamtx ${D}${bindir}/mediamtx
}

COMPATIBLE_HOST = "aarch64.*-linux"
