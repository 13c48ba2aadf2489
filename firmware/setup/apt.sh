#!/usr/bin/env bash
# Owns Debian packages: installs what apt.txt lists for a group, and asks apt
# nothing when all of it is there.
#
# usage: apt.sh run|test|cross
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

GROUP=${1:-run}

# wanted GROUP: the packages of @run, and of @test too when that is asked for.
wanted() {
    sed 's/#.*//' "$SETUP_DIR/apt.txt" | awk -v group="$1" '
        /^@/ { on = $1 == "@run" || $1 == "@" group; next }
        on { for (i = 1; i <= NF; i++) print $i }'
}

# missing: those that dpkg does not have installed.
missing() {
    comm -23 <(wanted "$GROUP" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null | sed -n 's/^ii  *//p' | sort -u)
}

is_done() { have dpkg-query && [ -z "$(missing)" ]; }

install() {
    # Another package manager may hold the lists; dpkg's own lock has a timeout.
    local try
    for try in 1 2 3 4 5 6; do
        as_root apt-get update -q && break
        [ "$try" -lt 6 ] || return 1
        sleep 10
    done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=600 "$@"
}

# percent LOG: each package is fetched, unpacked and set up.
percent() {
    awk '/ newly installed/ { all = 3 * ($1 + $3); done = 0 }
        /^(Get:|Unpacking |Setting up )/ { done++ }
        END { if (all) printf "%d", 100 * done / all }' "$1"
}

# keep_mosquitto_off: Debian starts a broker on port 1883 when its package is
# installed. edgecamd supervises one of its own, so a broker that nobody had
# before this set-up is not left running.
keep_mosquitto_off() {
    [ -d /run/systemd/system ] || return 0
    as_root systemctl --quiet disable --now mosquitto.service
    say "  Debian's own mosquitto.service is switched off: edgecamd starts the broker it needs"
}

make_it() {
    local packages
    mapfile -t packages < <(missing)
    have apt-get || die "this set-up installs packages with apt-get (Debian 12), which is not here. Needed: ${packages[*]}"
    [ "$(id -u)" = 0 ] || have sudo ||
        die "packages are missing and neither root nor sudo is at hand. As root: apt-get install ${packages[*]}"
    say "  ${packages[*]}"
    as_root true # sudo asks for its password here, not under the progress line
    run_logged "installing ${#packages[@]} packages" "$LOGS/apt.log" percent install "${packages[@]}"
    if [[ " ${packages[*]} " == *" mosquitto "* ]]; then keep_mosquitto_off; fi
    [ -z "$(missing)" ] || die "apt finished, yet these are not installed: $(missing | tr '\n' ' ')"
}

step packages "packages from apt, group $GROUP"
