#!/usr/bin/env bash
# Owns the keys that updates are signed with. Makes those for development on first use, in the cache; takes
# those of production from outside, and checks that a device would accept what they sign.
#
# usage: keys.sh   prints, as shell assignments: cert, key (a file, or a PKCS#11 URI), keyring, intermediate
#                  (may be empty), development (true or false)
#
# Production, all from the environment:
#   EDGECAM_OTA_CERT          the signer's certificate (PEM)
#   EDGECAM_OTA_KEY           its key: a PEM file, or pkcs11:...
#   EDGECAM_OTA_KEYRING       the authorities that devices trust (PEM; two during a rotation)
#   EDGECAM_OTA_INTERMEDIATE  certificates between the two, if any (PEM)
set -euo pipefail
umask 077

CACHE=${EDGECAM_CACHE:-$HOME/.cache/edgecam}
# A device is updated for as long as it lives, and a certificate that has ended cannot be replaced over the
# air. From 1970: a device without a battery for its clock must be able to check an update as well.
FROM=19700101000000Z UNTIL=20991231235959Z
# What a signer of production must be good for still, from the time of the build.
YEARS=5

die() { printf 'keys: %s\n' "$*" >&2; exit 1; }

# subject TEXT EXTENSIONS NAME [CA]: a key and a certificate NAME in WORK, signed by CA, or by itself.
certificate() {
    local subject=$1 extensions=$2 name=$3 ca=${4:-} by
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$WORK/$name.key.pem" 2>/dev/null
    openssl req -new -key "$WORK/$name.key.pem" -subj "/O=EdgeCam/CN=$subject" -out "$WORK/$name.csr"
    if [ -n "$ca" ]; then by=(-cert "$WORK/$ca.cert.pem" -keyfile "$WORK/$ca.key.pem")
    else by=(-selfsign -keyfile "$WORK/$name.key.pem"); fi
    openssl ca -batch -notext -config "$WORK/ca.conf" -extensions "$extensions" "${by[@]}" \
        -startdate $FROM -enddate $UNTIL -in "$WORK/$name.csr" -out "$WORK/$name.cert.pem" 2>"$WORK/log" ||
        { cat "$WORK/log" >&2; die "openssl could not make the certificate of $subject"; }
}

# make_development FOLDER: whole or not at all.
make_development() {
    command -v openssl >/dev/null || die "openssl is missing: install it"
    mkdir -p "$(dirname "$1")"
    WORK=$(mktemp -d "$1.XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
    touch "$WORK/index.txt"
    cat >"$WORK/ca.conf" <<CONF
[ca]
default_ca = development
[development]
new_certs_dir = $WORK
database = $WORK/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning, emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONF
    certificate "EdgeCam development CA, trusted by nobody else" authority ca
    certificate "EdgeCam development signer" signer signer ca
    rm -f "$WORK"/*.csr "$WORK"/index.txt* "$WORK/ca.conf" "$WORK/log" "$WORK"/[0-9A-F]*.pem
    # Another build may have been first: its keys hold.
    mv -T "$WORK" "$1" 2>/dev/null || [ -f "$1/signer.cert.pem" ] || die "$1 cannot be made"
}

readable() { [ -r "$2" ] || die "$1 names $2, which cannot be read"; }

# check: what the four say fits together, and a device would take it.
check() {
    local chain=() text
    [ -z "$intermediate" ] || chain=(-untrusted "$intermediate")
    openssl verify -CAfile "$keyring" "${chain[@]}" "$cert" >/dev/null 2>&1 ||
        die "the certificate $cert does not lead to an authority in $keyring: no device would accept it"
    openssl x509 -in "$cert" -noout -checkend $((YEARS * 365 * 86400)) >/dev/null ||
        die "the certificate $cert ends within $YEARS years: devices could not be updated after that. Make one that lasts"
    text=$(openssl x509 -in "$cert" -noout -ext basicConstraints,keyUsage,extendedKeyUsage)
    [[ $text == *CA:FALSE* && $text == *"Digital Signature"* && $text == *"Code Signing"* ]] ||
        die "the certificate $cert must be CA:FALSE, with key usage digitalSignature and extended key usage codeSigning"
    case $key in
    pkcs11:*) ;;
    *)
        [ "$(openssl pkey -in "$key" -pubout 2>/dev/null)" = "$(openssl x509 -in "$cert" -noout -pubkey)" ] ||
            die "the key $key is not that of the certificate $cert"
        ;;
    esac
}

intermediate=''
if [ -n "${EDGECAM_OTA_CERT:-}${EDGECAM_OTA_KEY:-}${EDGECAM_OTA_KEYRING:-}" ]; then
    development=false
    cert=${EDGECAM_OTA_CERT:-} key=${EDGECAM_OTA_KEY:-} keyring=${EDGECAM_OTA_KEYRING:-}
    intermediate=${EDGECAM_OTA_INTERMEDIATE:-}
    if [ -z "$cert" ] || [ -z "$key" ] || [ -z "$keyring" ]; then
        die "keys of production take EDGECAM_OTA_CERT, EDGECAM_OTA_KEY and EDGECAM_OTA_KEYRING, all three; for a development image set none"
    fi
    readable EDGECAM_OTA_CERT "$cert"
    readable EDGECAM_OTA_KEYRING "$keyring"
    [ -z "$intermediate" ] || readable EDGECAM_OTA_INTERMEDIATE "$intermediate"
    case $key in pkcs11:*) ;; *) readable EDGECAM_OTA_KEY "$key" ;; esac
    if grep -q 'EdgeCam development CA' <(openssl x509 -in "$keyring" -noout -subject 2>/dev/null); then
        die "$keyring is the authority of development: its key lies on every machine that builds"
    fi
else
    development=true
    folder=$CACHE/ota-keys
    [ -f "$folder/signer.cert.pem" ] || make_development "$folder" >&2
    cert=$folder/signer.cert.pem key=$folder/signer.key.pem keyring=$folder/ca.cert.pem
fi
check
printf '%s=%q\n' cert "$cert" key "$key" keyring "$keyring" intermediate "$intermediate" development $development
