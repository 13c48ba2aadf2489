# Owns the container of cross.toml: the libraries that `make cross` links against, and ncnn as it builds it.
FROM debian:bookworm
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive EDGECAM_CACHE=/opt/edgecam/cache

COPY firmware/setup /opt/edgecam/firmware/setup
# cross.sh names the libraries; here they are installed as a foreign architecture, beside none of the host's own.
RUN dpkg --add-architecture arm64 && apt-get update && \
    . <(sed -n '/^PACKAGES=(/,/)$/p' /opt/edgecam/firmware/setup/cross.sh) && \
    apt-get install -y --no-install-recommends ca-certificates cmake crossbuild-essential-arm64 g++ ninja-build \
        pkg-config python3 python3-venv qemu-user-static "${PACKAGES[@]/%/:arm64}" && \
    rm -rf /var/lib/apt/lists/*
RUN /opt/edgecam/firmware/setup/ncnn.sh aarch64

ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64-static \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++ \
    AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar \
    PKG_CONFIG_ALLOW_CROSS_aarch64_unknown_linux_gnu=1 \
    PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig \
    EDGECAM_NCNN_DIR_aarch64_unknown_linux_gnu=/opt/edgecam/cache/ncnn/current-aarch64 \
    GST_REGISTRY_FORK=no
