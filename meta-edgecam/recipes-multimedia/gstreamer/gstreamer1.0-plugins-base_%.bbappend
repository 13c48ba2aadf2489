# Plugins without dependencies are all that the pipeline plans take of this source.
PACKAGECONFIG:edgecam = "${GSTREAMER_ORC}"
