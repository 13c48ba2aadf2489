# MQTT over TCP and TLS: what the daemon configures.
PACKAGECONFIG:edgecam = "ssl"
