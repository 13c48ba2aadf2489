#!/usr/bin/env bash
# Owns the packages of web/, in $CACHE/web-<hash of its lock file>, with
# web/node_modules pointing there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WEB=$ROOT_DIR/web
have node || die "node is not on PATH. Way out: apt-get install nodejs npm"
KEY=$( (cat "$WEB/package.json" "$WEB/package-lock.json"; node --version) | short_hash)
PREFIX=$CACHE/web-$KEY

is_done() { [ -f "$PREFIX/.ready" ]; }

make_it() {
    # Some packages of Node.js bring npm along and do not go together with Debian's.
    have npm || run_logged "installing npm" "$LOGS/npm.log" : \
        as_root apt-get install -q -y --no-install-recommends npm
    rm -rf "$PREFIX"
    mkdir -p "$PREFIX"
    cp "$WEB/package.json" "$WEB/package-lock.json" "$PREFIX"
    run_logged "installing the packages of web" "$LOGS/web.log" : \
        npm --prefix "$PREFIX" ci --no-audit --no-fund
    touch "$PREFIX/.ready"
}

step web "the packages of web"
if [ -d "$WEB/node_modules" ] && [ ! -L "$WEB/node_modules" ]; then rm -rf "$WEB/node_modules"; fi
point "$WEB/node_modules" "$PREFIX/node_modules"
