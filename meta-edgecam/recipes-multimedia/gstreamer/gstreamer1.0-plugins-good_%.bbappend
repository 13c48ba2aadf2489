# V4L2 with its devices as they come and go, and the pictures of USB cameras.
PACKAGECONFIG:edgecam = "${GSTREAMER_ORC} gudev jpeg v4l2"
