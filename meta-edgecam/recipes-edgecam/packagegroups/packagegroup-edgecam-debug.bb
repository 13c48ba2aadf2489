# Owns what the feature `debug` adds: a shell, a way in, tools to look with.
SUMMARY = "A way into an EdgeCam device, for those who develop it"
SECTION = "base"
LICENSE = "Apache-2.0 | MIT"

inherit packagegroup

RDEPENDS:${PN} = "dropbear edgecam-debug gdbserver strace tcpdump v4l-utils"
