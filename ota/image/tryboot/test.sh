#!/usr/bin/env bash
# Owns the tests of the tryboot backend: a folder stands for the partition `firmware`, a model of the
# firmware chooses the slot, and the power goes at every write. Needs no root.
#
# usage: test.sh
set -euo pipefail

BACKEND=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/backend.sh
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
mkdir "$TMP/bin"
export EDGECAM_TRYBOOT_FIRMWARE=$TMP/firmware EDGECAM_TRYBOOT_ARGUMENT=$TMP/run/reboot-param
export EDGECAM_TRYBOOT_CMDLINE=$TMP/cmdline
FILE=$EDGECAM_TRYBOOT_FIRMWARE/autoboot.txt

# What writes to the card counts, and at the chosen write the power goes before it.
for tool in dd mv; do
    cat >"$TMP/bin/$tool" <<SHIM
#!/bin/sh
case "\$*" in *autoboot.txt*)
    count=\$((\$(cat "$TMP/writes") + 1))
    echo \$count >"$TMP/writes"
    if [ \$count -eq \$(cat "$TMP/cut") ]; then touch "$TMP/dark"; kill -KILL \$PPID; exit 1; fi ;;
esac
exec $(command -v $tool) "\$@"
SHIM
    chmod +x "$TMP/bin/$tool"
done

fail() {
    echo "    $*"
    sed -n 's/..*/    | &/p' "$FILE" 2>/dev/null || true
    # Out of the test, which runs in a shell of its own.
    exit 1
}

# firmware_starts TRYBOOT-FLAG: the partition that Raspberry Pi's firmware takes: the last boot_partition in
# [all] or, with the flag, in [tryboot]; the first partition, which has no kernel, without any.
firmware_starts() {
    [ "$(wc -c <"$FILE")" -le 512 ] || { echo 1; return; }
    awk -v flag="$1" '
        BEGIN { here = 1; part = 1 }
        /^\[/ { here = ($0 == "[all]" || ($0 == "[tryboot]" && flag)) }
        here && /^boot_partition=/ { sub(/.*=/, ""); part = $0 }
        END { print part }' "$FILE"
}

slot_of() { case $1 in 2) echo A ;; 3) echo B ;; *) echo none ;; esac; }

# start FLAG: the machine starts; sets UP to the slot.
start() {
    rm -rf "$TMP/run" "$TMP/dark"
    UP=$(slot_of "$(firmware_starts "$1")")
    [ "$UP" != none ] || fail "starts nothing"
    [ "${CONTENT[$UP]}" = whole ] || fail "starts $UP, which is ${CONTENT[$UP]}"
    echo "console=serial0 rauc.slot=$UP quiet" >"$TMP/cmdline"
}

reboot() {
    local flag=0
    if [ "$(cat "$EDGECAM_TRYBOOT_ARGUMENT" 2>/dev/null)" = "0 tryboot" ]; then flag=1; fi
    start $flag
}

power_cycle() { start 0; }

# backend VERB...: as RAUC runs it; 99: the power went.
backend() {
    local status=0
    OUT=$(PATH="$TMP/bin:$PATH" "$BACKEND" "$@" 2>"$TMP/err") || status=$?
    if [ -e "$TMP/dark" ]; then return 99; fi
    return $status
}

says() {
    local expected=$1; shift
    backend "$@" || fail "$* failed: $(cat "$TMP/err")"
    [ "$OUT" = "$expected" ] || fail "$* says '$OUT', not '$expected'"
}

refuses() {
    local before; before=$(cat "$FILE")
    if backend "$@"; then fail "$* is not refused"; fi
    [ -s "$TMP/err" ] || fail "$* gives no reason"
    [ "$(cat "$FILE")" = "$before" ] || fail "$* was refused and wrote"
}

# fresh: a new card whose slot A is committed and runs.
fresh() {
    rm -rf "$TMP/firmware"
    mkdir -p "$TMP/firmware"
    "$BACKEND" render A >"$FILE"
    declare -gA CONTENT=([A]=whole [B]=whole)
    echo 0 >"$TMP/writes"
    echo 0 >"$TMP/cut"
    start 0
}

# As RAUC installs into B, with the orders of its bootchooser.
install() {
    backend set-state B bad || return
    CONTENT[B]=mixed
    # The power may go while the slot is written.
    [ "$1" != midway ] || return 99
    CONTENT[B]=whole
    backend set-primary B
}

# update HOW: an update of B that ends so; returns 99 where the power went.
update() {
    install "$1" || return
    says B get-primary && says good get-state B && says good get-state A || return
    reboot
    [ "$UP" = B ] || fail "B is not tried"
    case $1 in
    good) says good get-state B && backend set-state B good ;;
    bad) backend set-state B bad && backend set-primary A && reboot ;;
    hangs) power_cycle && says A get-primary && says bad get-state B && backend set-state A good ;;
    esac
}

# rests_on SLOT: SLOT starts, with and without a stray flag, and the other is not tried again.
rests_on() {
    local flag
    for flag in 0 1; do
        start $flag
        [ "$UP" = "$1" ] || fail "$UP starts with the flag $flag, not $1"
    done
    says "$1" get-primary
    says good get-state "$1"
}

the_image_s_own_file_fits_a_sector_and_starts_its_slot() {
    fresh
    [ "$(wc -c <"$FILE")" -eq 256 ] || fail "has another length"
    rests_on A
    says bad get-state B
    says A get-current
    local line lines='[all] tryboot_a_b=1 boot_partition=2 [tryboot] boot_partition=2 '
    line=$(tr -s '\n' ' ' <"$FILE")
    [ "$line" = "$lines" ] || fail "is $line"
}

a_good_update_is_committed_and_the_old_slot_stays_good() {
    fresh
    update good
    [ "$(wc -c <"$FILE")" -eq 256 ] || fail "its length changed"
    rests_on B
    says good get-state A
}

a_slot_that_failed_is_bad_and_not_tried_again() {
    for how in bad hangs; do
        fresh
        update $how
        rests_on A
        says bad get-state B
    done
}

a_try_whose_turn_was_lost_with_the_power_is_bad_until_it_is_ordered_again() {
    fresh
    install whole
    power_cycle
    [ "$UP" = A ] || fail "$UP starts"
    says A get-primary
    says bad get-state B
    backend set-primary B
    reboot
    [ "$UP" = B ] || fail "the second order is not obeyed"
}

a_healthy_start_of_the_daemon_does_not_take_an_installed_update_back() {
    fresh
    install whole
    backend set-state A good
    says B get-primary
    reboot
    [ "$UP" = B ] || fail "B is not tried"
}

going_back_by_hand_is_a_try_as_well() {
    fresh
    update good
    backend set-primary A
    says A get-primary
    reboot
    [ "$UP" = A ] || fail "A is not tried"
    backend set-state A good
    rests_on A
    says good get-state B
}

an_update_that_its_owner_does_not_confirm_gives_way_to_the_slot_before() {
    fresh
    update good
    backend set-state B bad
    backend set-primary A
    reboot
    rests_on A
    says bad get-state B
}

an_order_that_is_taken_back_is_not_obeyed() {
    fresh
    install whole
    backend set-primary A
    reboot
    rests_on A
    says bad get-state B
}

what_would_leave_no_slot_is_refused() {
    fresh
    backend set-state B bad
    refuses set-state A bad
    refuses set-state B good
    refuses set-primary C
    refuses get-state 'A;reboot'
    refuses set-state A maybe
    refuses set-state B
    refuses nonsense
}

a_damaged_file_is_told_and_made_anew_from_the_slot_that_runs() {
    local damage verb
    for damage in '' 'x' '[all]' "$(printf '[all]\nboot_partition=9\n')" "$(head -c 600 /dev/zero | tr '\0' a)"; do
        for verb in "set-state A good" "set-primary A" "set-state B bad"; do
            fresh
            printf '%s' "$damage" >"$FILE"
            refuses get-primary
            says good get-state A
            says bad get-state B
            refuses set-primary B
            # shellcheck disable=SC2086 # words
            backend $verb || fail "$verb: $(cat "$TMP/err")"
            rests_on A
            says bad get-state B
        done
    done
    rm "$FILE"
    backend set-state A good
    rests_on A
}

an_editor_s_line_ends_are_understood() {
    fresh
    printf '[all]\r\ntryboot_a_b=1\r\nboot_partition=3\r\n[tryboot]\r\nboot_partition=2\r\n' >"$FILE"
    echo rauc.slot=B >"$TMP/cmdline"
    says B get-primary
    says bad get-state A
}

no_power_cut_starts_anything_but_a_whole_slot() {
    local how cut cuts=0 status flag went
    for how in {new,used}-{midway,good,bad,hangs}; do
        went=1
        for ((cut = 1; went; cut++)); do
            fresh
            # A card on which both slots have been committed before.
            if [[ $how == used-* ]]; then
                { printf '[all]\ntryboot_a_b=1\nboot_partition=2\n'; head -c 219 /dev/zero | tr '\0' '\n'; } >"$FILE"
                says good get-state B
            fi
            echo $cut >"$TMP/cut"
            status=0
            update "${how#*-}" || status=$?
            [ $status -eq 0 ] || [ $status -eq 99 ] || fail "$how, cut $cut: $(cat "$TMP/err")"
            went=0
            if [ -e "$TMP/dark" ]; then went=1 cuts=$((cuts + 1)); fi
            echo 0 >"$TMP/cut"
            # Whatever flag the firmware finds: a whole slot.
            for flag in 1 0; do start $flag; done
            # The next start is healthy: it settles, and stays what it is.
            backend set-state "$UP" good || fail "$how, cut $cut: $(cat "$TMP/err")"
            rests_on "$UP"
            # And the next update is as good as the first.
            if [ "$UP" = A ]; then update good && rests_on B; fi
        done
    done
    echo "    $cuts power cuts"
    [ $cuts -eq 16 ] || fail "not one at each write"
}

a_power_cut_while_a_damaged_file_is_made_anew_leaves_it_to_be_made_anew() {
    local cut
    for cut in 1 2; do
        fresh
        : >"$FILE"
        echo $cut >"$TMP/cut"
        if backend set-state A good; then fail "the power did not go"; fi
        rm -f "$TMP/dark"
        echo 0 >"$TMP/cut"
        backend set-state A good
        rests_on A
    done
}

failed=()
mapfile -t tests < <(declare -F | awk '{ print $3 }' | grep _ | grep -vE '^(firmware_starts|slot_of|power_cycle|rests_on)$')
for test in "${tests[@]}"; do
    # Not in a condition: `set -e` would be off inside.
    set +e
    OUT=$(set -e; "$test" 2>&1)
    status=$?
    set -e
    if [ $status -eq 0 ]; then echo "  ok      ${test//_/ }"; else
        echo "  FAILED  ${test//_/ }"
        failed+=("$test")
    fi
    [ -z "$OUT" ] || printf '%s\n' "$OUT"
done
[ ${#failed[@]} -eq 0 ]
