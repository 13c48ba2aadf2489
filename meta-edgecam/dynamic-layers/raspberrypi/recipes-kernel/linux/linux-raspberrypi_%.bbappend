require recipes-kernel/linux/edgecam-kernel.inc
SRC_URI:append:edgecam = " file://edgecam-rpi.cfg"
