# shellcheck shell=bash
# Owns what the set-up scripts share: paths, messages, timed steps, progress of
# long commands, locks and hashes. Sourced, never run.
# shellcheck disable=SC2034 # what is set here is used where it is sourced

SETUP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT_DIR=$(cd "$SETUP_DIR/../.." && pwd)
CACHE=${EDGECAM_CACHE:-$HOME/.cache/edgecam}
JOBS=${EDGECAM_JOBS:-$(nproc)}
LOGS=$CACHE/logs
# shellcheck source=versions.env
. "$SETUP_DIR/versions.env"

say()  { printf '%s\n' "$*"; }
warn() { printf 'set-up: %s\n' "$*" >&2; }
die()  { warn "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# version_ge A B: true when dotted version A is B or newer.
version_ge() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# as_root CMD...: runs CMD as root, by sudo where needed.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# short_hash: first 12 hex digits of the SHA-256 of standard input.
short_hash() { sha256sum | cut -c1-12; }

# elapsed START: "4 s" or "2 min 05 s" since START (a value of SECONDS).
elapsed() {
    local s=$((SECONDS - $1))
    if [ "$s" -lt 60 ]; then printf '%d s' "$s"; else printf '%d min %02d s' $((s / 60)) $((s % 60)); fi
}

# step NAME WHAT: what every step script ends with. The script defines is_done
# and make_it; make_it runs only when is_done is false, and is not run twice by
# two set-ups at once. What make_it leaves behind is whole, whenever it ends:
# products are made in a folder beside their place and renamed into it.
step() {
    local start=$SECONDS
    if is_done; then return; fi
    say "set-up: $2"
    with_lock "$1" make_unless_done
    say "set-up: $1 took $(elapsed "$start")"
}

make_unless_done() {
    if is_done; then return; fi
    make_it
}

# with_lock NAME CMD...: runs CMD while holding the lock NAME of this cache. The
# lock is open in CMD's children too, so it outlives a killed set-up for as long
# as one of them still writes.
with_lock() {
    local name=$1; shift
    mkdir -p "$CACHE/locks"
    (
        exec 9>"$CACHE/locks/$name"
        if ! flock -n 9; then
            say "  another set-up is busy with $name: waiting for it"
            flock 9
        fi
        "$@"
    )
}

# run_logged LABEL LOG PERCENT CMD...: runs CMD with its output in LOG and tells
# how far it is: every second on a terminal, else every 15 s. PERCENT is a
# function that prints the percentage from LOG, or `:` for none. The log's end is
# shown when CMD fails.
run_logged() {
    local label=$1 log=$2 percent=$3; shift 3
    local start=$SECONDS last=$SECONDS pid status=0 p
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064 # the pid of now is meant
    trap "kill $pid 2>/dev/null; exit 130" INT TERM
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ -t 1 ]; then
            [ "$SECONDS" -gt "$last" ] || continue
        else
            [ $((SECONDS - last)) -ge 15 ] || continue
        fi
        last=$SECONDS
        p=$("$percent" "$log" 2>/dev/null || true)
        if [ -t 1 ]; then
            printf '\r  %s: %s%s \033[K' "$label" "${p:+$p %, }" "$(elapsed "$start")"
        else
            say "  $label: ${p:+$p %, }$(elapsed "$start")"
        fi
    done
    wait "$pid" || status=$?
    trap - INT TERM
    if [ -t 1 ]; then printf '\r\033[K'; fi
    if [ "$status" != 0 ]; then
        warn "$label failed (status $status); all of it is in $log"
        tail -n 40 "$log" | sed 's/^/    /' >&2
    fi
    return "$status"
}

# point LINK TARGET: makes LINK a symbolic link to TARGET in one step.
point() {
    [ "$(readlink "$1")" = "$2" ] && return
    ln -sfn "$2" "$1.$$"
    mv -T "$1.$$" "$1"
}
