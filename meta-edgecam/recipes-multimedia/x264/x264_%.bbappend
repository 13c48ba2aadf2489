# The library alone: ffmpeg would be for its command line tool.
PACKAGECONFIG:edgecam = ""
