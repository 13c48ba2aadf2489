# The command line tools are for debugging.
PACKAGECONFIG:edgecam = "debug"
PACKAGECONFIG:append:edgecam-debug = " tools"
