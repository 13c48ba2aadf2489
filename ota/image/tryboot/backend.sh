#!/bin/sh
# RAUC's custom bootloader backend for Raspberry Pi's tryboot (ADR 21). Owns autoboot.txt on the partition
# `firmware` and nothing else.
#
# usage: backend.sh get-primary | set-primary SLOT | get-state SLOT | set-state SLOT good|bad | get-current
#        backend.sh render SLOT   prints the autoboot.txt of an image whose slot SLOT is committed
#
# The whole state is two partition numbers in one sector that is written at once:
#
#   [all]                  the committed slot: every start but one goes there
#   boot_partition=2
#   [tryboot]              the other slot, which `reboot "0 tryboot"` starts once
#   boot_partition=3
#
# and of the other slot:    [tryboot] is  | it is
#                           its own       | to be tried, or was tried in vain
#                           the committed | bad: not even a stray tryboot starts it
#                           not there     | good: it was committed before
#
# Whether a slot is still to be tried is kept where the firmware keeps its flag: nowhere for long. The
# reboot's argument is in /run until the reboot. Without it, a slot in [tryboot] that does not run was tried
# and did not stay, or its turn was lost with the power: bad either way, without a write at a bad moment.
set -eu

HERE=$(dirname "$0")
SLOTS=${EDGECAM_TRYBOOT_SLOTS:-$HERE/slots}
ARGUMENT=${EDGECAM_TRYBOOT_ARGUMENT:-/run/systemd/reboot-param}
CMDLINE=${EDGECAM_TRYBOOT_CMDLINE:-/proc/cmdline}
DEVICE=/dev/disk/by-partlabel/firmware
# Always as long: a write changes one sector of data and no length. The firmware reads 512 bytes at most.
LENGTH=256
TRY='0 tryboot'

die() {
    echo "tryboot: $*" >&2
    exit 1
}

# partition SLOT: the number of its partition.
partition() {
    sed -n "s/^$1  *\([0-9][0-9]*\) *$/\1/p" "$SLOTS"
}

# slot NUMBER: the slot with that partition.
slot() {
    sed -n "s/^\([A-Za-z0-9]*\)  *$1 *$/\1/p" "$SLOTS"
}

known() {
    case $1 in '' | *[!A-Za-z0-9]*) die "no slot '$1'" ;; esac
    [ -n "$(partition "$1")" ] || die "no slot '$1' in $SLOTS"
}

# other SLOT
other() {
    sed -n 's/^\([A-Za-z0-9][A-Za-z0-9]*\)  *[0-9].*/\1/p' "$SLOTS" | grep -vx "$1"
}

# The slot that runs; empty when the kernel was not told.
running() {
    tr ' ' '\n' <"$CMDLINE" | sed -n 's/^rauc\.slot=//p' | tail -n 1
}

# value SECTION: boot_partition of a section of autoboot.txt.
value() {
    tr -d '\r' <"$FILE" | sed -n "/^\[$1\]/,/^\[/s/^boot_partition=\([0-9][0-9]*\)$/\1/p" | tail -n 1
}

# Reads the state: COMMITTED, empty where the file tells none, and STATE of the other slot.
read_state() {
    COMMITTED='' STATE=bad
    [ -f "$FILE" ] || return 0
    all=$(value all)
    [ -z "$all" ] || COMMITTED=$(slot "$all")
    [ -n "$COMMITTED" ] || return 0
    case $(value tryboot) in
    '') STATE=good ;;
    "$(partition "$(other "$COMMITTED")")") STATE=try ;;
    esac
}

# render COMMITTED STATE-OF-OTHER
render() {
    text="[all]
tryboot_a_b=1
boot_partition=$(partition "$1")
"
    case $2 in
    try) text="${text}[tryboot]
boot_partition=$(partition "$(other "$1")")
" ;;
    bad) text="${text}[tryboot]
boot_partition=$(partition "$1")
" ;;
    esac
    printf '%s' "$text"
    # An empty line is none to the firmware.
    yes '' | head -c $((LENGTH - ${#text}))
}

# commit SLOT STATE-OF-OTHER: makes it so, in one write, where it is not.
commit() {
    new=$(render "$1" "$2"; echo .)
    if [ -f "$FILE" ] && [ "$(cat "$FILE"; echo .)" = "$new" ]; then return 0; fi
    mount_for_writing
    if [ "$(wc -c <"$FILE" 2>/dev/null || echo 0)" -eq $LENGTH ]; then
        printf '%s' "${new%.}" | dd of="$FILE" bs=$LENGTH count=1 conv=notrunc,fsync status=none
    else
        # None, or none of ours: there is nothing to lose by making it anew.
        printf '%s' "${new%.}" | dd of="$FILE.new" bs=$LENGTH count=1 conv=fsync status=none
        mv "$FILE.new" "$FILE"
        sync
    fi
}

armed() {
    [ -f "$ARGUMENT" ] && [ "$(cat "$ARGUMENT")" = "$TRY" ]
}

arm() {
    mkdir -p "$(dirname "$ARGUMENT")"
    printf '%s' "$TRY" >"$ARGUMENT.edgecam"
    mv "$ARGUMENT.edgecam" "$ARGUMENT"
}

disarm() {
    if armed; then rm -f "$ARGUMENT"; fi
}

# The slot that the next reboot starts.
get_primary() {
    [ -n "$COMMITTED" ] || die "autoboot.txt tells no slot; marking the running slot good makes it anew"
    if [ $STATE = try ] && armed; then other "$COMMITTED"; else echo "$COMMITTED"; fi
}

set_primary() {
    if [ -z "$COMMITTED" ]; then
        # Only what runs is known to start.
        [ "$1" = "$(running)" ] || die "autoboot.txt tells no slot, and $1 does not run"
        commit "$1" bad
    elif [ "$1" = "$COMMITTED" ]; then
        disarm
        # Given up before it was committed: never known to be good.
        if [ $STATE = try ]; then commit "$COMMITTED" bad; fi
    else
        # The file first: an argument without it would start the committed slot, this without the argument too.
        commit "$COMMITTED" try
        arm
    fi
}

get_state() {
    if [ "$1" = "$COMMITTED" ] || { [ -z "$COMMITTED" ] && [ "$1" = "$(running)" ]; }; then
        echo good
    elif [ $STATE = good ]; then
        echo good
    elif [ $STATE = try ] && { armed || [ "$1" = "$(running)" ]; }; then
        echo good
    else
        echo bad
    fi
}

set_good() {
    if [ "$1" = "$COMMITTED" ]; then
        # One that ran in vain: remembered from now on. One that is armed has its turn before it.
        if [ $STATE = try ] && ! armed && [ "$1" = "$(running)" ]; then commit "$1" bad; fi
    elif [ "$1" = "$(running)" ]; then
        if [ -n "$COMMITTED" ]; then commit "$1" good; else commit "$1" bad; fi
        disarm
    elif [ "$(get_state "$1")" = bad ]; then
        die "$1 becomes good by running, not by being called so"
    fi
}

set_bad() {
    rest=$(other "$1")
    if [ -z "$COMMITTED" ]; then
        [ "$rest" = "$(running)" ] || die "autoboot.txt tells no slot, and $rest does not run"
        commit "$rest" bad
    elif [ "$1" != "$COMMITTED" ]; then
        commit "$COMMITTED" bad
        disarm
    elif [ $STATE = good ] || { [ $STATE = try ] && [ "$rest" = "$(running)" ]; }; then
        commit "$rest" bad
        disarm
    else
        die "$1 is the only slot that starts: it stays"
    fi
}

# The partition is mounted for this run, read-only until something is written. RAUC's service has mounts of
# its own; run elsewhere they are taken away all the same.
MOUNTED=''
open_card() {
    if [ -n "${EDGECAM_TRYBOOT_FIRMWARE:-}" ]; then
        FIRMWARE=$EDGECAM_TRYBOOT_FIRMWARE
    else
        FIRMWARE=$(mktemp -d /run/edgecam-tryboot.XXXXXX)
        trap close_card EXIT
        # Read-only, which writes nothing. Where it is mounted for writing elsewhere it can only be that too.
        for mode in ro rw; do
            [ -n "$MOUNTED" ] || mount -t vfat -o $mode,nosuid,nodev,noexec,noatime "$DEVICE" "$FIRMWARE" || continue
            MOUNTED=1
        done
        [ -n "$MOUNTED" ] || die "$DEVICE cannot be mounted"
    fi
    FILE=$FIRMWARE/autoboot.txt
}

mount_for_writing() {
    if [ -n "$MOUNTED" ]; then mount -o remount,rw "$FIRMWARE"; fi
}

close_card() {
    if [ -n "$MOUNTED" ]; then umount "$FIRMWARE"; fi
    rmdir "$FIRMWARE"
}

verb=${1:-}
case $verb in
get-current)
    running
    exit
    ;;
render)
    known "${2:-}"
    render "$2" bad
    exit
    ;;
get-primary) ;;
set-primary | get-state) known "${2:-}" ;;
set-state)
    known "${2:-}"
    case ${3:-} in good | bad) ;; *) die "a state is good or bad, not '${3:-}'" ;; esac
    ;;
*)
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
    ;;
esac
open_card
read_state
case $verb in
get-primary) get_primary ;;
set-primary) set_primary "$2" ;;
get-state) get_state "$2" ;;
set-state) "set_$3" "$2" ;;
esac
