#!/usr/bin/env bash
# Owns the order of the proofs in QEMU: the image is built as its owner would,
# then each promise is a test of its own, one after the other.
#
# usage: run.sh fast               what every change of the image must keep: first start, update, way back
#        run.sh all                every promise
#        run.sh cuts N             N power cuts at random moments of an update
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../firmware/setup/lib.sh"
BEGIN=$SECONDS
cd "$ROOT_DIR"

case ${1:-} in
fast) tests=(first_boot update bad_update::without_a_kernel) ;;
all) tests=() ;;
cuts) tests=(power_cuts); export EDGECAM_E2E_CUTS=${2:?usage: run.sh cuts N} ;;
*) sed -n 's/^# \(usage\|  *run\.sh\)/\1/p' "$0" >&2; exit 2 ;;
esac

"$SETUP_DIR/cross.sh" build
ota/image/build/image.sh debian
if [ "$1" != cuts ]; then ota/image/build/image.sh debian --twice; fi
ota/e2e/prepare.sh "$CACHE/image/e2e" >"$CACHE/image/e2e.env"
set -a
# shellcheck source=/dev/null
. "$CACHE/image/e2e.env"
set +a

# promises FILE[::NAME]: the tests of a file, or those of it whose name has NAME.
promises() {
    local file=${1%%::*} name=()
    if [[ $1 == *::* ]]; then name=("${1#*::}"); fi
    cargo test -q ${CI:+--locked} -p edgecam-e2e --test "$file" -- "${name[@]}" --test-threads=1
}

if [ ${#tests[@]} -eq 0 ]; then
    for file in ota/e2e/tests/*.rs; do tests+=("$(basename "$file" .rs)"); done
fi
failed=()
for each in "${tests[@]}"; do
    start=$SECONDS
    if promises "$each"; then say "$each: ok, $(elapsed "$start")"; else failed+=("$each"); fi
done
if [ ${#failed[@]} -gt 0 ]; then die "promises broken: ${failed[*]}"; fi
say "ota-test: all of ${tests[*]} kept, $(elapsed "$BEGIN")"
