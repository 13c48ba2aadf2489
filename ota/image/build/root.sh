# shellcheck shell=bash
# Owns the root file system: Debian's packages without what nothing uses, then
# ours over them. Sourced by image.sh after tools.sh.
#
# What Debian's maintainer scripts would do on a machine is done here where the
# image needs it: users, presets, caches. Nothing of the target is run.
#
# Packages are fetched once and stay as they are, so that a commit gives the same
# image tomorrow; FRESH=1 fetches those that Debian has now.
#
# shellcheck disable=SC2153,SC2154 # image.sh and keys.sh say them

# packages GROUP: those of a group of packages.txt; for a kernel's, @all too.
packages() {
    sed 's/#.*//' "$IMAGE_DIR/packages.txt" | awk -v group="$1" -v all="$([ "$1" = firmware ] || echo @all)" '
        /^@/ { on = $1 == all || $1 == "@" group; next }
        on { for (i = 1; i <= NF; i++) print $i }'
}

# base_tree: sets BASE to the pruned packages, made when what goes in changed.
base_tree() {
    local key list=$WORK/packages named
    packages "$KERNEL" >"$list"
    mapfile -t named < <(grep -v '^+' "$list")
    key=$(cat "$list" "$IMAGE_DIR"/{plugins,drop}.txt "$IMAGE_DIR/build/prune.py" "$SETUP_DIR/debs.sh" | short_hash)
    BASE=$CACHE/image/base-$KERNEL-$key
    if [ -f "$BASE/.packages" ] && [ -z "${FRESH:-}" ]; then return; fi
    run_logged "fetching the image's packages" "$LOGS/image-base.log" : \
        env DEBS_ALSO_FROM="${ARCHIVE:-}" "$SETUP_DIR/debs.sh" arm64 "$IMAGE_SUITE" "$BASE.new" "${named[@]}"
    run_logged "leaving out what nothing uses" "$LOGS/image-prune.log" : \
        python3 "$IMAGE_DIR/build/prune.py" "$BASE.new" "$list" "$IMAGE_DIR/plugins.txt" "$IMAGE_DIR/drop.txt"
    rm -rf "$BASE"
    mv -T "$BASE.new" "$BASE"
}

# firmware_tree: sets FIRMWARE to what the Pi's boot loader reads before a slot.
firmware_tree() {
    local key
    key=$(packages firmware | cat - "$SETUP_DIR/debs.sh" | short_hash)
    FIRMWARE=$CACHE/image/firmware-$key
    if [ -f "$FIRMWARE/.packages" ] && [ -z "${FRESH:-}" ]; then return; fi
    mapfile -t list < <(packages firmware)
    run_logged "fetching the boot loaders" "$LOGS/image-firmware.log" : \
        "$SETUP_DIR/debs.sh" arm64 "$IMAGE_SUITE" "$FIRMWARE" "${list[@]}"
}

# users ROOT: Debian's fixed users, then those of sysusers.d, always with the same numbers.
users() {
    install -m 644 "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
    install -m 644 "$1/usr/share/base-passwd/group.master" "$1/etc/group"
    systemd-sysusers --root="$1" >"$LOGS/image-users.log" 2>&1
    rm -f "$1/etc/.pwd.lock" "$1"/etc/{passwd,group,shadow,gshadow}-
}

# services ROOT: starts what the preset names and nothing else.
services() {
    systemctl --root="$1" preset-all >"$LOGS/image-services.log" 2>&1
    ln -s /usr/lib/systemd/system/multi-user.target "$1/etc/systemd/system/default.target"
}

# caches ROOT: what packages compute when they are installed.
caches() {
    local kernel
    kernel=$(basename "$1"/usr/lib/modules/*)
    depmod --all --basedir "$1" "$kernel"
    mkdir -p "$1/etc/ssl/certs"
    find "$1/usr/share/ca-certificates" -name '*.crt' -print0 | LC_ALL=C sort -z | xargs -0 cat >"$1/etc/ssl/certs/ca-certificates.crt"
    # The loader's cache: its own program, run here.
    qemu-aarch64-static -L "$1" "$1/usr/sbin/ldconfig" -r "$1"
    rm -rf "$1/var/cache/ldconfig"
    ln -sf regulatory.db-debian "$1/usr/lib/firmware/regulatory.db"
    ln -sf regulatory.db.p7s-debian "$1/usr/lib/firmware/regulatory.db.p7s"
}

product() {
    local name
    for name in edgecamd edgecam-camera edgecam mediamtx; do
        install -m 755 "$CACHE/cross/bin/$name" "$1/usr/bin/$name"
    done
    overlay "$1"
}

# overlay ROOT: what is the same in every builder's image.
overlay() {
    cp -r --no-preserve=all "$IMAGE_DIR/rootfs/." "$1/"
    chmod 755 "$1"/usr/lib/edgecam/{rauc-pre-install,console.sh}
}

release() {
    cat >"$1/usr/lib/edgecam/release.json" <<-JSON
		{"version": "$VERSION", "compatible": "$COMPATIBLE", "commit": "$COMMIT", "built_at": "$BUILT_AT", "kernel": "$KERNEL", "development_keys": $development}
	JSON
    rm -f "$1/etc/os-release"
    cat >"$1/usr/lib/os-release" <<-RELEASE
		ID=edgecam
		ID_LIKE=${ID_LIKE-debian}
		NAME=EdgeCam
		PRETTY_NAME="EdgeCam $VERSION"
		VERSION="$VERSION"
		VERSION_ID=$VERSION
		VARIANT_ID=$KERNEL
		BUILD_ID=$COMMIT
	RELEASE
    ln -s ../usr/lib/os-release "$1/etc/os-release"
    # A clock without battery stands no earlier than this.
    touch "$1/usr/lib/clock-epoch"
}

updates() {
    mkdir -p "$1/etc/rauc"
    "$IMAGE_DIR/build/render.py" rauc "$COMPATIBLE" "$BOOTLOADER" ${OLDEST:+"$OLDEST"} >"$1/etc/rauc/system.conf"
    if [ "$BOOTLOADER" = custom ]; then
        install -D -m 755 "$IMAGE_DIR/tryboot/backend.sh" "$1/usr/lib/edgecam/tryboot/backend.sh"
        install -m 644 "$IMAGE_DIR/tryboot/slots" "$1/usr/lib/edgecam/tryboot/slots"
    else
        "$IMAGE_DIR/build/render.py" env >"$1/etc/fw_env.config"
    fi
    install -m 644 "$keyring" "$1/etc/rauc/keyring.pem"
}

# finish ROOT: what it says and starts, and where things are mounted, whatever packages it is made of.
finish() {
    services "$1"
    release "$1"
    updates "$1"
    mkdir -p "$1"/{data,dev,proc,sys,run,tmp,var,srv,boot,mnt}
    : >"$1/etc/machine-id"
}

# make_root ROOT: the whole tree.
make_root() {
    local root=$1
    rm -rf "$root"
    cp -a "$BASE" "$root"
    rm -rf "$root/.files" "${root:?}/boot"/* "$root"/usr/lib/linux-image-* "$root"/var/{cache,lib/dpkg,log} \
        "$root"/etc/systemd/system/* "$root"/etc/{issue,issue.net,motd}
    product "$root"
    users "$root"
    caches "$root"
    finish "$root"
    mkdir -p "$root/usr/share/edgecam"
    mv "$root/.packages" "$root/usr/share/edgecam/packages.txt"
    find "$root" -depth -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# squash ROOT FILE: all of it root's, always the same bytes. Files lie one behind the other, and one that
# changes moves all that follow: the product's own come last, so that a device that updates the product
# finds the blocks of everything else in the slot that it runs from.
squash() {
    rm -f "$2"
    {
        # Those that change least often come first.
        printf '%s\n' 'usr/bin/mediamtx -1' 'usr/bin/edgecam -2' 'usr/bin/edgecam-camera -3' 'usr/bin/edgecamd -4'
        (cd "$1" && find usr/lib/edgecam -type f -printf '%p -5\n') | LC_ALL=C sort
    } >"$WORK/own-last"
    run_logged "packing the root" "$LOGS/image-squash.log" : \
        mksquashfs "$1" "$2" -comp zstd -Xcompression-level "${LEVEL:-19}" -b 256K -all-root -noappend -no-progress -no-xattrs \
        -sort "$WORK/own-last"
    truncate -s %4096 "$2"
}
