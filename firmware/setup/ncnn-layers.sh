#!/usr/bin/env bash
# Owns which of ncnn's layers are left out: all that ncnn-layers.txt does not name. Prints one option for CMake
# each; fails when a layer is wanted that ncnn does not have.
#
# usage: ncnn-layers.sh SOURCE   (ncnn's, unpacked)
set -euo pipefail

wanted() { sed 's/#.*//' "$(dirname "${BASH_SOURCE[0]}")/ncnn-layers.txt" | tr -s '[:space:]' '\n' | sed '/^$/d' | sort; }

all=$(sed -n 's/^ncnn_add_layer(\([A-Za-z0-9]*\).*/\1/p' "$1/src/CMakeLists.txt" | sort)
unknown=$(comm -23 <(wanted) <(echo "$all") | tr '\n' ' ')
[ -z "$unknown" ] || { echo "ncnn-layers.txt names layers that ncnn does not have: $unknown" >&2; exit 1; }
comm -13 <(wanted) <(echo "$all") | tr '[:upper:]' '[:lower:]' | sed 's/.*/-DWITH_LAYER_&=OFF/'
