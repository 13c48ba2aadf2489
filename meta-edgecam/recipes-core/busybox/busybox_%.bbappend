# Options of small programs that the scripts of ota/image use.
FILESEXTRAPATHS:prepend:edgecam := "${THISDIR}/files:"
SRC_URI:append:edgecam = " file://edgecam.cfg"
