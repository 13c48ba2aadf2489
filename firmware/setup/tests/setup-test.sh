#!/usr/bin/env bash
# Owns the tests of set-up. They build nothing: each works in a cache of its own,
# with a PATH that holds only Debian's basic tools and stand-ins for the programs
# that reach the network. The last one looks at the real cache.
#
# usage: setup-test.sh [NAME]...   (all, unless named)
set -euo pipefail

SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=../versions.env
. "$SETUP/versions.env"
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

# fresh: an empty cache and a PATH of basic tools; sets BIN, CACHE.
fresh() {
    local tool
    CACHE=$TMP/$RANDOM/cache
    BIN=$(dirname "$CACHE")/bin
    mkdir -p "$BIN"
    for tool in bash env sh awk basename cat chmod comm cp cut date dirname find flock grep head id ln mkdir \
        mktemp mv nproc python3 readlink rm sed sha256sum sleep sort tail tar touch tr uname wc gzip; do
        ln -s "$(command -v "$tool")" "$BIN/$tool"
    done
}

# stand_in NAME: makes a program of standard input, first on the PATH of set-up.
stand_in() {
    { echo '#!/usr/bin/env bash'; cat; } >"$BIN/$1"
    chmod +x "$BIN/$1"
}

# setup [VAR=VALUE]... SCRIPT ARG...: runs a set-up script in the fresh
# surroundings; its output goes to OUT and its status to STATUS.
setup() {
    local vars=(PATH="$BIN" EDGECAM_CACHE="$CACHE")
    while [[ $1 == *=* ]]; do vars+=("$1"); shift; done
    local script=$1; shift
    STATUS=0
    OUT=$(env -u EDGECAM_MEDIAMTX "${vars[@]}" "$SETUP/$script" "$@" 2>&1) || STATUS=$?
}

fail() { echo "    $*"; [ -z "${OUT:-}" ] || printf '%s\n' "$OUT" | sed 's/^/    | /'; return 1; }
expect_status() { [ "$STATUS" = "$1" ] || fail "status is $STATUS, expected $1"; }
expect_said() { [[ $OUT == *"$1"* ]] || fail "not said: $1"; }
expect_silent() { [ -z "$OUT" ] || fail "expected no output"; }

# expect_nothing_left FOLDER: no product and no half of one.
expect_nothing_left() {
    local left
    left=$(find "$CACHE/$1" -mindepth 1 ! -name '.build-*' ! -name failed 2>/dev/null | grep -v '/\.build-' || true)
    [ -z "$left" ] || fail "left behind: $left"
}

# A release of MediaMTX as its downloads look, made of a shell script; the
# stand-in for curl hands it out and counts how often it is asked.
offer_release() {
    local arch
    case $(uname -m) in x86_64) arch=amd64 ;; *) arch=arm64 ;; esac
    OFFER=$(dirname "$CACHE")/offer
    mkdir -p "$OFFER"
    printf '#!/bin/sh\necho v%s\n' "$MEDIAMTX_VERSION" >"$OFFER/mediamtx"
    chmod +x "$OFFER/mediamtx"
    tar -C "$OFFER" -czf "$OFFER/mediamtx_v${MEDIAMTX_VERSION}_linux_$arch.tar.gz" mediamtx
    (cd "$OFFER" && sha256sum ./*.tar.gz | sed 's|\./||' >checksums.sha256)
    stand_in curl <<EOS
echo asked >>"$OFFER/asked"
sleep \${CURL_SLEEPS:-0}
while [ \$# -gt 0 ]; do
    case \$1 in
    -o) out=\$2; shift ;;
    https://*) cp "$OFFER/\$(basename "\$1")" "\$out" ;;
    esac
    shift
done
EOS
}

it_refuses_a_tampered_ncnn_package_by_name() {
    fresh
    echo "not ncnn" >"$TMP/ncnn-1.0.$NCNN_VERSION.tar.gz"
    setup EDGECAM_NCNN_SDIST="$TMP/ncnn-1.0.$NCNN_VERSION.tar.gz" ncnn.sh
    expect_status 1
    expect_said "ncnn-1.0.$NCNN_VERSION.tar.gz is refused: its SHA-256 is"
    expect_nothing_left ncnn
}

it_names_an_ncnn_package_that_is_not_there() {
    fresh
    setup EDGECAM_NCNN_SDIST="$TMP/nowhere.tar.gz" ncnn.sh
    expect_status 1
    expect_said "EDGECAM_NCNN_SDIST names $TMP/nowhere.tar.gz, which is not there"
}

it_goes_on_without_mediamtx_and_says_so() {
    fresh
    stand_in curl <<<'exit 6'
    setup mediamtx.sh
    expect_status 0
    expect_said "MediaMTX $MEDIAMTX_VERSION is not here (Go is not on PATH; the download failed)"
    expect_said "EdgeCam runs without its streaming addresses"
    expect_nothing_left mediamtx
}

it_does_not_try_mediamtx_again_at_once() {
    fresh
    stand_in curl <<<"echo asked >>'$CACHE/asked'; exit 6"
    setup mediamtx.sh
    setup mediamtx.sh
    expect_status 0
    expect_said "tried less than an hour ago"
    [ "$(wc -l <"$CACHE/asked")" = 1 ] || fail "asked again"
    setup mediamtx.sh --retry
    [ "$(wc -l <"$CACHE/asked")" = 2 ] || fail "not asked again with --retry"
}

it_installs_a_verified_mediamtx_release() {
    fresh
    offer_release
    setup mediamtx.sh
    expect_status 0
    [ "$("$CACHE/mediamtx/current/mediamtx")" = "v$MEDIAMTX_VERSION" ] || fail "not installed"
    setup mediamtx.sh
    expect_silent
}

it_refuses_a_mediamtx_release_with_a_wrong_checksum() {
    fresh
    offer_release
    sed -i 's/^......../00000000/' "$OFFER/checksums.sha256"
    setup mediamtx.sh
    expect_status 0
    expect_said "does not match the release's checksums.sha256"
    expect_said "EdgeCam runs without its streaming addresses"
    expect_nothing_left mediamtx
}

it_does_not_install_another_mediamtx_release() {
    fresh
    offer_release
    printf '#!/bin/sh\necho v0.0.1\n' >"$OFFER/mediamtx"
    (cd "$OFFER" && tar -czf ./*.tar.gz mediamtx && sha256sum ./*.tar.gz | sed 's|\./||' >checksums.sha256)
    setup mediamtx.sh
    expect_status 0
    expect_said "(Go is not on PATH; what came reports not v$MEDIAMTX_VERSION)"
    expect_nothing_left mediamtx
}

it_takes_a_mediamtx_at_hand() {
    fresh
    stand_in mediamtx <<<"echo v$MEDIAMTX_VERSION"
    setup mediamtx.sh
    expect_status 0
    expect_silent
    mv "$BIN/mediamtx" "$BIN/elsewhere"
    setup EDGECAM_MEDIAMTX="$BIN/elsewhere" mediamtx.sh
    expect_status 0
    expect_silent
}

it_passes_over_a_mediamtx_of_another_release() {
    fresh
    offer_release
    stand_in mine <<<'echo v0.0.1'
    setup EDGECAM_MEDIAMTX="$BIN/mine" mediamtx.sh
    expect_status 0
    expect_said "EDGECAM_MEDIAMTX=$BIN/mine is not MediaMTX v$MEDIAMTX_VERSION"
    [ -x "$CACHE/mediamtx/current/mediamtx" ] || fail "not installed"
}

it_does_the_work_once_when_run_twice_at_once() {
    fresh
    offer_release
    (setup CURL_SLEEPS=1 mediamtx.sh; echo "$OUT" >"$OFFER/1") &
    (setup CURL_SLEEPS=1 mediamtx.sh; echo "$OUT" >"$OFFER/2") &
    wait
    OUT=$(cat "$OFFER/1" "$OFFER/2")
    expect_said "another set-up is busy with mediamtx"
    [ "$(wc -l <"$OFFER/asked")" = 1 ] || fail "downloaded twice"
}

it_recovers_from_being_killed() {
    fresh
    offer_release
    # All of it, curl too, as when power fails: the group is its own.
    setsid env -u EDGECAM_MEDIAMTX PATH="$BIN" EDGECAM_CACHE="$CACHE" CURL_SLEEPS=60 \
        "$SETUP/mediamtx.sh" >/dev/null 2>&1 &
    until [ -e "$OFFER/asked" ]; do sleep 0.1; done
    kill -KILL -- -$!
    wait $! 2>/dev/null || true
    expect_nothing_left mediamtx
    setup mediamtx.sh
    expect_status 0
    [ -x "$CACHE/mediamtx/current/mediamtx" ] || fail "not installed"
}

it_says_when_rust_is_absent_or_too_old() {
    fresh
    setup toolchains.sh run
    expect_status 1
    expect_said "Rust is not on PATH"
    stand_in cargo <<<'exit 1'
    stand_in rustc <<<'echo "rustc 1.63.0 (4b91a6ea7 2022-08-08)"'
    setup toolchains.sh run
    expect_status 1
    expect_said "Rust 1.63.0 ($BIN/rustc) is too old"
    expect_said "rustup update stable"
    stand_in rustc <<<'echo "rustc 1.200.0-nightly (4b91a6ea7 2032-08-08)"'
    setup toolchains.sh run
    expect_status 0
    setup toolchains.sh test
    expect_status 1
    expect_said "rustup component add rustfmt clippy"
}

it_names_packages_that_it_cannot_install() {
    fresh
    setup apt.sh run
    expect_status 1
    expect_said "apt-get (Debian 12), which is not here. Needed: "
    expect_said "libgstreamer1.0-dev"
    stand_in apt-get <<<'exit 1'
    rm "$BIN/id"
    stand_in id <<<'echo 1000'
    setup apt.sh run
    expect_status 1
    expect_said "neither root nor sudo is at hand. As root: apt-get install"
    if [[ $OUT == *chromium* ]]; then fail "a package of group test is asked for by run"; fi
}

it_is_skipped_in_under_3_s_when_nothing_changed() {
    local began took
    "$SETUP/setup.sh" test >/dev/null 2>&1 || { fail "set-up fails"; return 1; }
    began=${EPOCHREALTIME/./}
    OUT=$("$SETUP/setup.sh" test 2>&1) || { fail "set-up fails"; return 1; }
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    if [[ $OUT == *" took "* ]]; then fail "it did something"; fi
    [ "$took" -lt 3000 ] || fail "it took $took ms"
    echo "    ($took ms)"
}

NAMES=("$@")
if [ $# = 0 ]; then mapfile -t NAMES < <(sed -n 's/^\(it_[a-z0-9_]*\)() {$/\1/p' "${BASH_SOURCE[0]}"); fi

passed=0 failed=0
for name in "${NAMES[@]}"; do
    # A subshell of its own, which ends at the first expectation that fails; that
    # works only outside of any condition.
    set +e
    (set -e; "$name") >"$TMP/said" 2>&1
    status=$?
    set -e
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        echo "  ok      ${name//_/ }"
    else
        failed=$((failed + 1))
        echo "  FAILED  ${name//_/ }"
    fi
    cat "$TMP/said"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
