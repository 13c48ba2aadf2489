# Bundles are read from the daemon on this machine and are no artefacts of JSON tools; partitions are written by
# the card's builder and systemd-repart.
PACKAGECONFIG:edgecam:class-target = "service network streaming nocreate"
