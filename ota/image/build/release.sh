# shellcheck shell=bash
# Owns what is handed out beside the card: compressed, with its map for bmaptool,
# its sums, its parts list, and its entry for Raspberry Pi Imager. Sourced by
# image.sh last.

# parts_list FILE
parts_list() {
    local triple=aarch64-unknown-linux-gnu
    cargo tree --edges normal --target "$triple" --prefix none --no-dedupe --format '{p}' \
        -p edgecamd -p edgecam-camera -p edgecam-cli | awk '{ print $1, $2 }' >"$WORK/crates"
    go version -m "$CACHE/cross/bin/mediamtx" >"$WORK/modules-of-mediamtx"
    "$IMAGE_DIR/build/sbom.py" "$VERSION" "$BUILT_AT" "$WORK/root/usr/share/edgecam/packages.txt" \
        "$WORK/crates" "$WORK/modules-of-mediamtx" "$NCNN_VERSION" >"$1"
}

# map CARD FILE: which blocks of the card hold anything.
map() {
    PYTHONPATH=$TOOLS/usr/lib/python3/dist-packages python3 "$TOOLS/usr/bin/bmaptool" --quiet create "$1" -o "$2"
}

# imager CARD FILE: the entry for Raspberry Pi Imager.
imager() {
    python3 - "$1" "$VERSION" "${BUILT_AT%T*}" "$DEVICES" >"$2" <<-'PYTHON'
		import hashlib, json, os, sys
		card, version, date, devices = sys.argv[1:]
		def sha256(path):
		    with open(path, "rb") as file:
		        return hashlib.file_digest(file, "sha256").hexdigest()
		packed = card + ".zst"
		print(json.dumps({"os_list": [{
		    "name": f"EdgeCam {version}",
		    "description": "A camera that detects: REST, MQTT, WebRTC, updates over the air",
		    "url": os.path.basename(packed),
		    "icon": "",
		    "release_date": date,
		    "extract_size": os.path.getsize(card),
		    "extract_sha256": sha256(card),
		    "image_download_size": os.path.getsize(packed),
		    "image_download_sha256": sha256(packed),
		    "devices": devices.split(),
		    "init_format": "none",
		}]}, indent=1))
	PYTHON
}

hand_out() {
    local card=$1
    parts_list "$card.cdx.json"
    map "$card" "$card.bmap"
    zstd -q -f -T0 -9 "$card" -o "$card.zst"
    imager "$card" "$OUT/os-list.json"
    (cd "$OUT" && sha256sum "$(basename "$card").zst" "$(basename "${card%.img}").raucb" >"$(basename "${card%.img}").sha256")
}
