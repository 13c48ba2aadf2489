#!/usr/bin/env bash
# Owns the checks of the layer that need the other layers (layers.sh fetches them) and compile nothing: what bitbake
# makes of every recipe, that all dependencies of image and update have a provider, that the tasks of the firmware
# can be ordered, and that appends took hold. Without a network.
#
# usage: yocto-check.sh LAYERS [MACHINE...]   (raspberrypi4-64 raspberrypi5 qemuarm64)
#
# Recipes that nothing here comes near are masked. EDGECAM_BITBAKE names the build folder (LAYERS/../yocto-check);
# bitbake refuses to be root: as root it runs as the owner of that folder, or as user 1000.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

[ $# -ge 1 ] || { sed -n 's/^# \(usage\)/\1/p' "$0" >&2; exit 2; }
LAYERS=$(cd "$1" && pwd); shift
MACHINES=("${@:-raspberrypi4-64}")
[ $# -gt 0 ] || MACHINES=(raspberrypi4-64 raspberrypi5 qemuarm64)
BUILD=${EDGECAM_BITBAKE:-$LAYERS/../yocto-check}

as_user=()
mkdir -p "$BUILD/conf"
if [ "$(id -u)" = 0 ]; then
    owner=$(stat -c %u "$BUILD")
    if [ "$owner" = 0 ]; then owner=1000; fi
    as_user=(setpriv --reuid="$owner" --regid="$owner" --clear-groups env HOME="$BUILD")
fi

layers() {
    echo "BBLAYERS = \"$(printf '%s ' "$LAYERS"/openembedded-core/meta "$LAYERS"/meta-openembedded/meta-{oe,python,networking,filesystems,multimedia} "$LAYERS"/meta-{raspberrypi,rauc} "$HERE")\""
}

local_conf() {
    cat <<'CONF'
CONF_VERSION = "2"
DISTRO = "edgecam"
MACHINE ??= "qemuarm64"
EDGECAM_FEATURES ??= ""
BB_NUMBER_THREADS = "2"
BB_NUMBER_PARSE_THREADS = "2"
BB_NO_NETWORK = "1"
CONNECTIVITY_CHECK_URIS = ""
INHERIT:remove = "uninative"
BB_ENV_PASSTHROUGH_ADDITIONS = "EDGECAM_FEATURES"
BBMASK = "/meta-openembedded/(?!.*/(libcamera|mosquitto|cjson|uthash|openh264|tcpdump|v4l-utils|libyaml|libconfuse|genimage)_)"
BBMASK += "/openembedded-core/meta/recipes-(sato|rt)/"
BBMASK += "/meta-raspberrypi/dynamic-layers/(?!.*(libcamera|libpisp))"
CONF
}

run() { (cd "$BUILD" && "${as_user[@]}" env BBPATH="$BUILD" BB_ENV_PASSTHROUGH_ADDITIONS="MACHINE EDGECAM_FEATURES" \
    PATH="$LAYERS/openembedded-core/scripts:$LAYERS/bitbake/bin:$PATH" PYTHONPATH="$LAYERS/bitbake/lib" "$@"); }

layers >"$BUILD/conf/bblayers.conf"
local_conf >"$BUILD/conf/local.conf"
[ -z "${as_user[*]}" ] || chown -R "$owner:$owner" "$BUILD"
"${RUN_ONLY[@]:-run}" true
