#!/usr/bin/env bash
# Owns the step from bitbake to the image builder: runs one function of ota/image/build, whose work it is to know
# what a root, a slot and a card look like. What they would ask of image.sh and keys.sh comes from the environment
# of the task (classes-recipe/edgecam_part.bbclass).
#
# usage: part.sh FUNCTION ARGUMENT...
set -euo pipefail
IMAGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../ota/image" && pwd)
# bitbake has no nproc, and nothing here is compiled.
export EDGECAM_CACHE=$WORK/cache EDGECAM_JOBS=1
# shellcheck source=../../firmware/setup/lib.sh
. "$IMAGE_DIR/../../firmware/setup/lib.sh"
for part in root slot card; do
    # shellcheck source=/dev/null
    . "$IMAGE_DIR/build/$part.sh"
done
# shellcheck disable=SC2034 # the parts say them
ID_LIKE='' BUILT_AT=$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
# Sets keyring and development.
eval "$(EDGECAM_CACHE=$KEYS "$IMAGE_DIR/../keys.sh")"
mkdir -p "$WORK" "$LOGS"
"$@"
