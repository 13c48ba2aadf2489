# The command line tools are for debugging.
PACKAGECONFIG:edgecam = "debug"
PACKAGECONFIG:append:with-debug = " tools"
