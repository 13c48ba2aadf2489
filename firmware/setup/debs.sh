#!/usr/bin/env bash
# Owns trees of Debian packages of any architecture and release, made without
# root, emulation or maintainer scripts: apt resolves and fetches, dpkg-deb
# unpacks. The host's own packages are neither asked nor touched. Mirrors are
# those that the host's apt already uses.
#
# usage: debs.sh ARCH SUITE FOLDER PACKAGE...
#
# DEBS_ALSO_FROM names the origin of another archive, as apt knows it, whose
# packages of the same release are taken too and win.
#
# FOLDER is a new tree: /usr merged, links within it relative, in .packages one
# line for each package (name, version, architecture, SHA-256 of its file), and
# in .files/NAME what came of it.
# Files are in the cache by name; their sums were checked by apt.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -ge 4 ] || { sed -n 's/^# \(usage\)/\1/p' "$0" >&2; exit 2; }
ARCH=$1 SUITE=$2 OUT=$3; shift 3

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
STATE=$CACHE/debs/$SUITE-$ARCH
FILES=$CACHE/debs/files

{ have apt-get && [ -f "$KEYRING" ]; } ||
    die "trees of Debian packages are made with apt-get and debian-archive-keyring: build on Debian 12 or 13."

# mirror KIND: where the host gets Debian (main) or its security updates from.
mirror() {
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(SITE) $(REPO_URI) $(RELEASE) $(ORIGIN)' | awk -v kind="$1" '
        $NF == "Debian" && (kind == "security") == ($2 ~ /security/) { print $2; exit }'
}

# key_of FILE:N: the file with the keys of an archive, which the N-th entry of FILE names.
key_of() {
    local file=${1%:*} number=${1##*:}
    case $file in
    *.sources) awk -v RS= -v n="$number" '/(^|\n)URIs:/ && ++i == n' "$file" | sed -n 's/^Signed-By: *//Ip' ;;
    *) sed -n "${number}s/.*signed-by=\([^] ]*\).*/\1/p" "$file" ;;
    esac
}

# other: the line of the archive of DEBS_ALSO_FROM in a list of sources.
other() {
    local found key entry uri component
    # shellcheck disable=SC2016 # apt fills these in
    found=$(apt-get indextargets --format '$(ARCHITECTURE)|$(SOURCESENTRY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)' |
        awk -F'|' -v arch="$ARCH" -v suite="$SUITE" -v origin="$DEBS_ALSO_FROM" '
            $1 == arch && $4 == suite && $6 == origin { print $2 " " $3 " " $5; exit }')
    [ -n "$found" ] || die "apt on this machine knows no archive '$DEBS_ALSO_FROM' of $SUITE for $ARCH: add it to its sources ([arch=$ARCH signed-by=...]), apt-get update, and try again."
    read -r entry uri component <<<"$found"
    key=$(key_of "$entry")
    [ -f "$key" ] || die "the archive '$DEBS_ALSO_FROM' is named in ${entry%:*} without the file of its keys: add signed-by=FILE to it."
    echo "deb [arch=$ARCH signed-by=$key] $uri $SUITE $component"
}

# configure: an apt of its own in $STATE.
configure() {
    local main security
    main=$(mirror main) security=$(mirror security)
    [ -n "$main" ] || die "apt on this machine names no Debian mirror (apt-get indextargets): nothing to fetch $SUITE from."
    mkdir -p "$STATE"/lists/partial "$STATE"/etc/preferences.d "$FILES/partial"
    : >"$STATE/status"
    {
        echo "deb [arch=$ARCH signed-by=$KEYRING] $main $SUITE main non-free-firmware"
        echo "deb [arch=$ARCH signed-by=$KEYRING] $main $SUITE-updates main non-free-firmware"
        if [ -n "$security" ]; then
            echo "deb [arch=$ARCH signed-by=$KEYRING] $security $SUITE-security main non-free-firmware"
        fi
        if [ -n "${DEBS_ALSO_FROM:-}" ]; then other; fi
    } >"$STATE/etc/sources.list"
    rm -f "$STATE/etc/preferences"
    if [ -n "${DEBS_ALSO_FROM:-}" ]; then
        printf 'Package: *\nPin: release o=%s\nPin-Priority: 900\n' "$DEBS_ALSO_FROM" >"$STATE/etc/preferences"
    fi
    cat >"$STATE/apt.conf" <<-CONF
		APT::Architecture "$ARCH";
		APT::Architectures { "$ARCH"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Dir::Etc "$STATE/etc";
		Dir::Etc::SourceList "$STATE/etc/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Parts "/dev/null";
		Dir::State "$STATE";
		Dir::State::Lists "$STATE/lists";
		Dir::State::status "$STATE/status";
		Dir::Cache "$STATE";
		Dir::Cache::Archives "$FILES";
		Dir::Log "$STATE";
		Acquire::Retries "3";
		Acquire::Languages "none";
		Debug::NoLocking "true";
	CONF
}

# resolve PACKAGE...: the files that they need, one line each: file, SHA-256. Asked as if none
# were here, else apt leaves those out.
resolve() {
    apt-get install -qq --print-uris -o Dir::Cache::Archives=/nonexistent/ -o Acquire::ForceHash=SHA256 "$@" |
        sed -n "s/^'[^']*' \([^ ]*\) [0-9]* SHA256:\([0-9a-f]*\)\$/\1 \2/p" | LC_ALL=C sort
}

skeleton() {
    local folder
    mkdir -p "$1"/usr/{bin,sbin,lib}
    for folder in bin sbin lib; do ln -s "usr/$folder" "$1/$folder"; done
}

# unpack FILE TREE: and print what there is now.
unpack() {
    dpkg-deb --fsys-tarfile "$1" |
        tar -xv -C "$2" --keep-directory-symlink --no-same-owner --delay-directory-restore \
            --exclude='./usr/share/man' --exclude='./usr/share/info' --exclude='./usr/share/locale' \
            --exclude='./usr/share/gir-1.0' --exclude='./usr/share/lintian' --exclude='./usr/share/bug' \
            --exclude='./dev'
}

# relative TREE: links that begin at the tree's root, as relative ones, so that
# they lead the same way seen from outside.
relative() {
    local link target
    find "$1" -xdev -type l -lname '/*' -printf '%p\t%l\n' | while IFS=$'\t' read -r link target; do
        case $target in /dev/* | /proc/* | /run/*) continue ;; esac
        ln -snf "$(realpath -ms --relative-to="$(dirname "$link")" "$1$target")" "$link"
    done
}

make_tree() {
    local tree=$1 file sum name version arch; shift
    configure
    export APT_CONFIG=$STATE/apt.conf
    apt-get update -qq || return
    resolve "$@" >"$tree.list"
    [ -s "$tree.list" ] || die "apt finds no set of packages for: $*"
    apt-get install -qq --download-only "$@" || return
    skeleton "$tree"
    mkdir "$tree/.files"
    while read -r file sum; do
        echo "$sum  $FILES/$file" | sha256sum --check --status || die "$file is not what its archive says"
        read -r -d '' name version arch < <(dpkg-deb -f "$FILES/$file" Package Version Architecture | sed 's/^[^:]*: //') || true
        unpack "$FILES/$file" "$tree" | sed 's#^\./##; /\/$/d; /^$/d' >"$tree/.files/$name"
        echo "$name $version $arch $sum"
    done <"$tree.list" >"$tree.packages"
    mv "$tree.packages" "$tree/.packages"
    rm "$tree.list"
    relative "$tree"
}

NEW=$OUT.new.$$
rm -rf "$NEW"
mkdir -p "$NEW"
trap 'rm -rf "$NEW" "$NEW.list" "$NEW.packages"' EXIT
with_lock "debs-$SUITE-$ARCH" make_tree "$NEW" "$@"
rm -rf "$OUT"
mv -T "$NEW" "$OUT"
