# What of systemd the product uses: no logins, no containers, no timezone or host name services.
PACKAGECONFIG:edgecam = "\
    ${@bb.utils.filter('DISTRO_FEATURES', 'acl ldconfig seccomp', d)} \
    gshadow kmod link-udev-shared myhostname networkd no-dns-fallback nss nss-resolve openssl randomseed repart \
    resolved set-time-epoch sysusers timesyncd zstd \
"
