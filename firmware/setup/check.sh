#!/usr/bin/env bash
# Owns the order of the project's checks. All of them run, also after one failed,
# and the end names those that did.
#
# usage: check.sh lint   formatting, clippy, dependencies, scripts
#        check.sh all    that, the tests of set-up, of scripts of the image and of the Yocto layer, cargo test, and
#                        fuzzing for seconds
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT_DIR"
locked=()
if [ -n "${CI:-}" ]; then locked=(--locked); fi
failed=()
BEGIN=$SECONDS

# check NAME CMD...: runs CMD quietly and says how it went.
check() {
    local name=$1 start=$SECONDS; shift
    if run_logged "$name" "$LOGS/check-$name.log" : "$@"; then
        say "$name: ok, $(elapsed "$start")"
    else
        failed+=("$name")
    fi
}

# check_shown NAME CMD...: the same, with CMD's output shown as it comes.
check_shown() {
    local name=$1 start=$SECONDS; shift
    say "$name:"
    if "$@"; then
        say "$name: ok, $(elapsed "$start")"
    else
        say "$name: FAILED, $(elapsed "$start")"
        failed+=("$name")
    fi
}

scripts() {
    local files
    mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
    shellcheck -x -P SCRIPTDIR "${files[@]}"
}

deny() { "$SETUP_DIR/cargo-deny.sh" --workspace "${locked[@]}" check "$@"; }

# The advisory database comes from the network, the rest is in the clone.
advisories() {
    local log=$LOGS/check-advisories.log
    if ! run_logged advisories-database "$log" : timeout 60 "$SETUP_DIR/cargo-deny.sh" fetch db 2>/dev/null; then
        say "advisories: SKIPPED, the advisory database cannot be fetched here"
        return
    fi
    check advisories deny --disable-fetch advisories
}

build() {
    cargo build "${locked[@]}" --workspace --bins && cargo test "${locked[@]}" --workspace --no-run
}

# Output of tests that pass is not shown: those that were left out write past it, and the end counts them.
tests() {
    local log=$LOGS/check-tests.log status=0
    cargo test "${locked[@]}" --workspace --no-fail-fast 2>&1 | tee "$log" || status=$?
    say "left out: $(grep -o 'skipped: .*' "$log" | sort -u | tee "$log.skipped" | wc -l) tests"
    sed 's/^/  /' "$log.skipped"
    return "$status"
}

lint() {
    check fmt cargo fmt --all --check
    check scripts scripts
    check dependencies deny bans licenses sources
    advisories
    check clippy cargo clippy "${locked[@]}" --workspace --all-targets -- -D warnings
}

case ${1:-} in
lint) lint ;;
all)
    lint
    check_shown set-up "$SETUP_DIR/tests/setup-test.sh"
    check_shown tryboot ota/image/tryboot/test.sh
    check_shown keys ota/keys-test.sh
    check_shown yocto meta-edgecam/check.sh
    check build build
    check_shown tests tests
    check_shown fuzz "$SETUP_DIR/fuzz.sh" 5
    ;;
*) sed -n 's/^# \(usage\|  *check\.sh\)/\1/p' "$0" >&2; exit 2 ;;
esac

if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
say "all checks passed in $(elapsed "$BEGIN")"
