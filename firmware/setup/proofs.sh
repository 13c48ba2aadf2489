#!/usr/bin/env bash
# Owns when the long proofs run in CI: when what they prove something about has
# changed since they last passed. What passed is recorded in the cache by the
# hash of its inputs; without a record a proof runs. One that takes long and has no
# record is put off to the next run when this one has no time left for it.
#
# usage: proofs.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT_DIR"

RECORDS=$CACHE/proofs

# inputs PATTERN...: a hash of the clone's files that match: names, contents, links, what may be run.
inputs() {
    git ls-files -z --cached --others --exclude-standard -- "$@" |
        LC_ALL=C sort -z | tar -c --null -T - --mtime=@0 --owner=0 --group=0 --mode='u=rwX,go=rX' | short_hash
}

# prove NAME HASH CMD...
prove() {
    local name=$1 hash=$2; shift 2
    if [ "$(cat "$RECORDS/$name" 2>/dev/null)" = "$hash" ]; then
        say "proof $name: its inputs are those that it last passed with ($hash)"
        return
    fi
    say "proof $name: its inputs are new ($hash)"
    "$@"
    mkdir -p "$RECORDS"
    echo "$hash" >"$RECORDS/$name"
}

# The image: everything that it is made of, and what looks at it here.
image=$(inputs Cargo.toml Cargo.lock api ota firmware/src firmware/crates firmware/config firmware/models \
    firmware/setup/{apt,cross,debs,lib,mediamtx,ncnn,toolchains}.sh firmware/setup/{apt.txt,versions.env} \
    'firmware/setup/ncnn-*' ':!*.md' ':!firmware/crates/*/tests' ':!firmware/crates/*/benches' \
    ':!ota/tests' ':!ota/e2e/tests/faults.rs' ':!ota/e2e/tests/refused.rs' ':!ota/e2e/tests/owners_card.rs' \
    ':!ota/e2e/tests/board.rs' ':!ota/e2e/tests/processes.rs')
prove image "$image" make ota-test
prove kernel "$image" make kernel-test

# What computes, for the Pi's CPU.
prove arm "$(inputs Cargo.toml Cargo.lock firmware/crates/{base,domain,detect,manifest,ncnn,scene} firmware/models \
    firmware/setup/{cross,debs,ncnn,lib}.sh firmware/setup/versions.env 'firmware/setup/ncnn-*' ':!*.md')" make arm-test

# A landing has 90 minutes; a machine with an empty cache has used most of them by now.
took=$(((EPOCHSECONDS - ${EDGECAM_CI_BEGAN:-$EPOCHSECONDS}) / 60))
if [ "$took" -gt 60 ]; then
    say "proof cuts: PUT OFF, this run has taken $took minutes; the next one makes it (make power-cuts)"
else
    prove cuts "$image" make power-cuts N=10
fi
