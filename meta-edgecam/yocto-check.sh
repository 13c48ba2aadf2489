#!/usr/bin/env bash
# Owns the checks of the layer that need the other layers (layers.sh fetches them) and compile nothing: that
# bitbake parses every recipe, that image and update have a provider for each dependency, that appends took hold, and
# for the first machine that all tasks can be run in an order (a quarter of an hour). Without a network.
#
# usage: yocto-check.sh LAYERS [MACHINE...]   (all of kas/machine)
#
# Recipes that nothing here comes near are masked. EDGECAM_BITBAKE names the build folder (LAYERS/../yocto-check).
# bitbake refuses to be root: as root it runs as the owner of that folder, or as user 1000.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

[ $# -ge 1 ] || { sed -n 's/^# \(usage\)/\1/p' "$0" >&2; exit 2; }
[ -d "$1/openembedded-core/meta" ] || { echo "yocto-check: $1 has no openembedded-core; meta-edgecam/layers.sh $1 fetches the layers" >&2; exit 2; }
LAYERS=$(cd "$1" && pwd); shift
MACHINES=("$@")
if [ $# -eq 0 ]; then mapfile -t MACHINES < <(cd "$HERE/kas/machine" && printf '%s\n' ./*.yml | sed 's#\./##; s/\.yml$//'); fi
BUILD=${EDGECAM_BITBAKE:-$LAYERS/../yocto-check}
mkdir -p "$BUILD/conf"
BUILD=$(cd "$BUILD" && pwd)
TARGETS=(edgecam-image edgecam-bundle)
failed=()

configure() {
    printf 'BBLAYERS = "%s"\n' "$(printf '%s ' "$LAYERS/openembedded-core/meta" \
        "$LAYERS"/meta-openembedded/meta-{oe,python,networking,filesystems,multimedia} \
        "$LAYERS/meta-raspberrypi" "$LAYERS/meta-rauc" "$HERE")" >"$BUILD/conf/bblayers.conf"
    cat >"$BUILD/conf/local.conf" <<'CONF'
CONF_VERSION = "2"
DISTRO = "edgecam"
BB_NUMBER_PARSE_THREADS = "2"
BB_NO_NETWORK = "1"
CONNECTIVITY_CHECK_URIS = ""
INHERIT:remove = "uninative"
BBMASK = "/meta-openembedded/(?!.*/(libcamera|mosquitto|cjson|uthash|openh264|tcpdump|libpcap|v4l-utils|libyaml|nlohmann-json)_)"
BBMASK += "/openembedded-core/meta/recipes-(sato|rt)/"
BBMASK += "/meta-raspberrypi/dynamic-layers/(?!.*(libcamera|libpisp))"
# Layers of which the mask leaves nothing are no news.
BBFILE_PATTERN_IGNORE_EMPTY_meta-python = "1"
BBFILE_PATTERN_IGNORE_EMPTY_filesystems-layer = "1"
CONF
}

# bitbake COMMAND...: with the machine and features of the environment, never as root.
in_bitbake() {
    local prefix=() owner
    if [ "$(id -u)" = 0 ]; then
        owner=$(stat -c %u "$BUILD")
        [ "$owner" != 0 ] || owner=1000
        chown -R "$owner:$owner" "$BUILD/conf" "$BUILD"
        prefix=(setpriv --reuid="$owner" --regid="$owner" --clear-groups)
    fi
    (cd "$BUILD" && "${prefix[@]}" env HOME="$BUILD" LC_ALL=en_US.UTF-8 BBPATH="$BUILD" \
        BB_ENV_PASSTHROUGH_ADDITIONS="MACHINE EDGECAM_FEATURES" \
        PATH="$LAYERS/openembedded-core/scripts:$LAYERS/bitbake/bin:$PATH" PYTHONPATH="$LAYERS/bitbake/lib" "$@")
}

# step WHAT COMMAND...: errors and warnings fail it.
step() {
    local what="$MACHINE${EDGECAM_FEATURES:+ ($EDGECAM_FEATURES)}: $1" log start=$SECONDS; shift
    log=$BUILD/$(tr -c 'a-z0-9\n' - <<<"$what").log
    if in_bitbake "$@" >"$log" 2>&1 && ! grep -qE '^(ERROR|WARNING):' "$log"; then
        echo "$what: ok, $((SECONDS - start)) s"
    else
        echo "$what: FAILED"
        grep -E '^(ERROR|WARNING)|was skipped|Missing or' "$log" | head -n 20 | sed 's/^/  /' || tail -n 20 "$log"
        failed+=("$what")
    fi
}

# what_was_meant: recipes with their variables, for expect.py.
what_was_meant() {
    local kernel=linux-raspberrypi
    [ "$MACHINE" != qemuarm64 ] || kernel=linux-yocto
    cat <<-LINES
		$kernel SRC_URI file://edgecam.cfg
		systemd PACKAGECONFIG repart networkd resolved !logind
		busybox SRC_URI file://edgecam.cfg
		rauc PACKAGECONFIG service streaming nocreate
		libcamera PACKAGECONFIG gst
		gstreamer1.0-plugins-base PACKAGECONFIG !pango !egl
		gstreamer1.0-plugins-good PACKAGECONFIG v4l2 jpeg !cairo !taglib !lame
		gstreamer1.0-plugins-bad PACKAGECONFIG openh264 v4l2codecs !rsvg !faad
		gstreamer1.0-plugins-ugly PACKAGECONFIG x264
		mosquitto PACKAGECONFIG ssl !websockets
		edgecam-image IMAGE_FEATURES read-only-rootfs !empty-root-password !allow-root-login
		edgecam-image PACKAGE_EXCLUDE rauc-conf rauc-mark-good
		rust-native PV >=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$HERE/../Cargo.toml")
		go-runtime PV >=$(sed -n 's/^MEDIAMTX_GO = "\(.*\)"/\1/p' "$HERE/recipes-edgecam/mediamtx/mediamtx-modules.inc")
	LINES
}

configure
export MACHINE EDGECAM_FEATURES=''
for MACHINE in "${MACHINES[@]}"; do
    step parse bitbake -p
    step providers bitbake -g "${TARGETS[@]}"
    step "what was meant" "$HERE/scripts/expect.py" < <(what_was_meant)
done
MACHINE=${MACHINES[0]}
EDGECAM_FEATURES='debug qemu' step providers bitbake -g "${TARGETS[@]}"
step tasks bitbake -n "${TARGETS[@]}"
[ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
