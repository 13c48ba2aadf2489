# Owns what an image consists of, by who needs it. Nothing else is installed but what these cannot do without.
SUMMARY = "EdgeCam and what it runs on"
SECTION = "base"
LICENSE = "Apache-2.0 | MIT"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

# the system
RDEPENDS:${PN} = "\
    base-files \
    base-passwd \
    busybox \
    ca-certificates \
    dbus \
    e2fsprogs-e2fsck \
    iproute2-ip \
    kernel-modules \
    kmod \
    netbase \
    systemd \
    systemd-networkd \
    tzdata \
    udev \
    util-linux-mount \
"
# updates; RAUC's own configuration is not installed, ota/image's is
RDEPENDS:${PN} += "rauc rauc-service"
# wireless network
RDEPENDS:${PN} += "wireless-regdb-static wpa-supplicant"
RDEPENDS:${PN}:append:rpi = " linux-firmware-rpidistro-bcm43455 linux-firmware-rpidistro-bcm43456"
# the product, its media server and its broker
RDEPENDS:${PN} += "edgecam-firmware edgecam-models mediamtx mosquitto"
RDEPENDS:${PN} += "${@edgecam.project.plugins(d)}"

# Whose the plugins of ota/image/plugins.txt are.
EDGECAM_PLUGINS[gstreamer1.0] = "coreelements"
EDGECAM_PLUGINS[gstreamer1.0-plugins-base] = "app playback tcp typefindfunctions videoconvertscale videorate"
EDGECAM_PLUGINS[gstreamer1.0-plugins-good] = "isomp4 jpeg matroska rtp rtpmanager rtsp udp video4linux2 videofilter"
EDGECAM_PLUGINS[gstreamer1.0-plugins-bad] = "mpegtsdemux openh264 v4l2codecs videoparsersbad"
EDGECAM_PLUGINS[gstreamer1.0-plugins-ugly] = "x264"
EDGECAM_PLUGINS[gstreamer1.0-rtsp-server] = "rtspclientsink"
EDGECAM_PLUGINS[libcamera-gst] = "libcamera"
