require edgecam-kernel.inc
SRC_URI:append:edgecam:qemuall = " file://edgecam-qemu.cfg"
