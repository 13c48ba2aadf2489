# The GStreamer element.
PACKAGECONFIG:append:edgecam = " gst"
