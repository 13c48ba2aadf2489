# Parsers, stateless V4L2 codecs, openh264. A board's layer may ask for more, which is not used.
PACKAGECONFIG:edgecam = "${GSTREAMER_ORC} openh264 v4l2codecs"
PACKAGECONFIG:remove:edgecam = "faad hls"
