#!/usr/bin/env bash
# Owns the layers that this one builds on, as folders beside each other, for yocto-check.sh: those of
# kas/edgecam.yml, at its commits. Building does not need this; kas does it.
#
# usage: layers.sh FOLDER   (needs git and a network)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# = 1 ] || { sed -n 's/^# \(usage\)/\1/p' "$0" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

# name, address and commit of each repository that has an address.
repositories() {
    awk '/^repos:/ { on = 1; next } /^[^ ]/ { on = 0 }
        on && /^  [^ ]/ { name = $1; sub(":", "", name) }
        on && $1 == "url:" { url = $2 }
        on && $1 == "commit:" { print name, url, $2 }' "$HERE/kas/edgecam.yml"
}

repositories | while read -r name url commit; do
    [ -d "$name" ] || git init -q "$name"
    if [ "$(git -C "$name" rev-parse -q --verify HEAD || true)" = "$commit" ]; then continue; fi
    git -C "$name" fetch -q --depth 1 "$url" "$commit"
    git -C "$name" checkout -q --detach FETCH_HEAD
    echo "$name: $commit"
done
