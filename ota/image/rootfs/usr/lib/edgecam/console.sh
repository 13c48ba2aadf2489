#!/bin/sh
# Owns what a screen or a serial cable shows of a device: what it is, where its page is, the code that
# claims it, and that its updates are signed with keys that anybody may have, where they are.
release=/usr/lib/edgecam/release.json
code=/var/lib/edgecam/card/claim-code

# fact NAME: a value of the release.
fact() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$release"; }

text="
  EdgeCam $(fact version) ($(fact kernel), $(fact commit))"
for word in $(ip -brief address show scope global up); do
    case $word in
    *:*/*) text="$text
  https://[${word%/*}]" ;;
    *.*/*) text="$text
  https://${word%/*}" ;;
    esac
done
[ ! -s "$code" ] || text="$text
  Claim it with the code $(cat "$code")"
[ "$(fact development_keys)" != true ] || text="$text
  DEVELOPMENT: this image takes updates signed with keys of development. Not for earnest use."

for screen in /dev/console /dev/tty1; do
    { printf '%s\n\n' "$text" >"$screen"; } 2>/dev/null
done
exit 0
