#!/usr/bin/env bash
# Owns the tests of the keys: in folders of their own, with openssl alone.
#
# usage: keys-test.sh
set -euo pipefail

KEYS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/keys.sh
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

fail() { echo "  FAILED  $*"; exit 1; }
ok() { echo "  ok      $*"; }
keys() { env -u EDGECAM_OTA_CERT -u EDGECAM_OTA_KEY -u EDGECAM_OTA_KEYRING "$@" "$KEYS"; }
refused() {
    local reason=$1; shift
    if keys "$@" >"$TMP/out" 2>&1; then fail "not refused: $*"; fi
    grep -q "$reason" "$TMP/out" || { cat "$TMP/out"; fail "does not say: $reason"; }
}

keys EDGECAM_CACHE="$TMP/one" >"$TMP/first" & keys EDGECAM_CACHE="$TMP/one" >"$TMP/second"; wait $!
cmp -s "$TMP/first" "$TMP/second" || fail "two builds at once made two keys"
[ "$(find "$TMP/one" -type d | wc -l)" = 2 ] || fail "something is left beside"
[ "$(ls "$TMP/one/ota-keys")" = "$(printf '%s\n' ca.cert.pem ca.key.pem signer.cert.pem signer.key.pem)" ] || fail "other files"
ok "development keys are made once, also by two builds at once"

cert='' key='' keyring='' development=''
eval "$(<"$TMP/first")"
[ "$development" = true ] || fail "not marked as development"
[ "$(stat -c %a "$key")" = 600 ] || fail "the key is open to others"
for when in 0 4000000000; do
    openssl verify -attime $when -CAfile "$keyring" "$cert" >/dev/null || fail "not valid at $when"
done
ok "they are marked, private, and valid whatever the device's clock says"

echo content >"$TMP/content"
openssl cms -sign -binary -in "$TMP/content" -signer "$cert" -inkey "$key" -outform DER -nodetach -out "$TMP/signed"
openssl cms -verify -in "$TMP/signed" -inform DER -CAfile "$keyring" -out /dev/null 2>"$TMP/out" || { cat "$TMP/out"; fail "a device would not accept it"; }
ok "what they sign is accepted with their authority"

production=(EDGECAM_CACHE="$TMP/none" EDGECAM_OTA_CERT="$cert" EDGECAM_OTA_KEY="$key")
refused "all three" "${production[@]}"
refused "authority of development" "${production[@]}" EDGECAM_OTA_KEYRING="$keyring"
keys EDGECAM_CACHE="$TMP/two" >/dev/null
other=$TMP/two/ota-keys
# An authority of somebody's own.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 -subj "/CN=Own CA" \
    -keyout "$TMP/ca.key" -out "$TMP/ca.pem" 2>/dev/null
# signer NAME DAYS EXTENSIONS
signer() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Own signer" -keyout "$TMP/$1.key" \
        -out "$TMP/$1.csr" 2>/dev/null
    openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/ca.pem" -CAkey "$TMP/ca.key" -days "$2" -extfile <(printf '%b' "$3") \
        -out "$TMP/$1.pem" 2>/dev/null
}
good='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning,emailProtection\n'
signer good 8000 "$good"
signer short 100 "$good"
signer web 8000 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n'
own() { echo EDGECAM_CACHE="$TMP/none" EDGECAM_OTA_CERT="$TMP/$1.pem" EDGECAM_OTA_KEY="$2" EDGECAM_OTA_KEYRING="$3"; }
# shellcheck disable=SC2046 # words, and no spaces in them
{
    keys $(own good "$TMP/good.key" "$TMP/ca.pem") >"$TMP/out" || fail "good keys are refused"
    grep -qx development=false "$TMP/out" || fail "marked as development"
    keys $(own good 'pkcs11:token=edgecam;object=signer' "$TMP/ca.pem") | grep -q '^key=pkcs11:' || fail "no key in a token"
    refused "does not lead to an authority" $(own good "$TMP/good.key" "$other/signer.cert.pem")
    refused "not that of the certificate" $(own good "$TMP/ca.key" "$TMP/ca.pem")
    refused "ends within" $(own short "$TMP/short.key" "$TMP/ca.pem")
    refused "codeSigning" $(own web "$TMP/web.key" "$TMP/ca.pem")
    refused "cannot be read" $(own absent "$TMP/good.key" "$TMP/ca.pem")
}
[ ! -e "$TMP/none" ] || fail "production made development keys"
ok "keys of production are taken from files or a token, and refused where devices would refuse what they sign"
