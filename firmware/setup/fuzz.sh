#!/usr/bin/env bash
# Owns fuzzing: builds the targets of firmware/fuzz with libFuzzer's coverage (a
# stable compiler does it) and runs each, beginning with firmware/fuzz/seeds and
# what earlier runs found worth keeping.
#
# usage: fuzz.sh SECONDS [TARGET...]    time for each target (all of them)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

FUZZ=$ROOT_DIR/firmware/fuzz
CORPUS=$CACHE/fuzz
HOST=$(rustc -vV | sed -n 's/^host: //p')
# One target directory below cargo's own: other flags would rebuild everything else.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}/fuzz
COVERAGE="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions"

targets() { sed -n 's/^name = "fuzz_\(.*\)"/\1/p' "$FUZZ/Cargo.toml"; }

# fuzz TARGET SECONDS: one target; what makes it fail is kept and named.
fuzz() {
    local target=$1 log=$LOGS/fuzz-$1.log seeds=() keep=$CORPUS/$1
    mkdir -p "$keep" "$CORPUS/failures"
    if [ -d "$FUZZ/seeds/$target" ]; then seeds+=("$FUZZ/seeds/$target"); fi
    if [ "$target" = manifest ]; then seeds+=("$ROOT_DIR/firmware/models"); fi
    # Time and memory of one input are limited: 10 s, 1 GiB.
    if "$CARGO_TARGET_DIR/$HOST/debug/fuzz_$target" "$keep" "${seeds[@]}" \
        -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="$CORPUS/failures/$target-" >"$log" 2>&1; then
        say "fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no failure"
    else
        tail -n 30 "$log" >&2
        warn "fuzz $target FAILED; the input is in $CORPUS/failures, the log is $log"
        return 1
    fi
}

seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
if [ $# -eq 0 ]; then mapfile -t all < <(targets); set -- "${all[@]}"; fi
run_logged "building the fuzz targets" "$LOGS/fuzz-build.log" : \
    env RUSTFLAGS="$COVERAGE" cargo build ${CI:+--locked} -p edgecam-fuzz --target "$HOST"
failed=0
for target in "$@"; do fuzz "$target" "$seconds" || failed=1; done
exit "$failed"
