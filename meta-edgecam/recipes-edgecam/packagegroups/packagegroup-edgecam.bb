# Owns what an image consists of, by who needs it. Nothing else is installed but what these cannot do without.
SUMMARY = "EdgeCam and what it runs on"
LICENSE = "Apache-2.0 | MIT"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

RDEPENDS:${PN} = "${SYSTEM} ${UPDATES} ${NETWORK} ${MEDIA} ${PRODUCT}"

SYSTEM = "base-files base-passwd netbase busybox systemd systemd-networkd udev dbus kmod iproute2-ip tzdata \
    ca-certificates util-linux-mount e2fsprogs-e2fsck kernel-modules"
# RAUC's own configuration is not installed: ota/image's is.
UPDATES = "rauc rauc-service"
NETWORK = "wpa-supplicant wireless-regdb-static"
NETWORK:append:rpi = " linux-firmware-rpidistro-bcm43455 linux-firmware-rpidistro-bcm43456"
PRODUCT = "edgecam-firmware edgecam-models mediamtx mosquitto"

MEDIA = "${@edgecam.project.plugins(d)}"
# Whose the plugins of ota/image/plugins.txt are.
EDGECAM_PLUGINS[gstreamer1.0] = "coreelements"
EDGECAM_PLUGINS[gstreamer1.0-plugins-base] = "app playback tcp typefindfunctions videoconvertscale videorate"
EDGECAM_PLUGINS[gstreamer1.0-plugins-good] = "isomp4 jpeg matroska rtp rtpmanager rtsp udp video4linux2 videofilter"
EDGECAM_PLUGINS[gstreamer1.0-plugins-bad] = "mpegtsdemux openh264 v4l2codecs videoparsersbad"
EDGECAM_PLUGINS[gstreamer1.0-plugins-ugly] = "x264"
EDGECAM_PLUGINS[gstreamer1.0-rtsp-server] = "rtspclientsink"
EDGECAM_PLUGINS[libcamera-gst] = "libcamera"
