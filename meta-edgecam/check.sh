#!/usr/bin/env bash
# Owns the checks of the layer that need no other layer and no network: its style, every combination of kas,
# generated lists, and that what it takes of the project is there. What bitbake thinks of it: yocto-check.sh.
#
# usage: check.sh   (firmware/setup/yocto.sh has the programs)
set -euo pipefail
LAYER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../firmware/setup/lib.sh
. "$LAYER/../firmware/setup/lib.sh"
BIN=$CACHE/yocto/bin
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
cd "$LAYER"

fail() { echo "    $*"; return 1; }

# sources PATTERN...: files of the layer that git knows or would take.
sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

oelint_adv_is_clean() {
    local arguments=() files
    while read -r id reason; do
        case $id in '#'* | '') continue ;; esac
        [ -n "$reason" ] || fail "oelint.txt passes over $id without a reason"
        arguments+=(--suppress "$id")
    done <oelint.txt
    mapfile -t files < <(sources '*.bb' '*.bbappend' '*.bbclass' '*.inc' '*.conf')
    "$BIN/oelint-adv" --quiet --relpaths --release wrynose --jobs 1 --exit-zero --constantmods +oelint.json \
        "${arguments[@]}" -- "${files[@]}" >"$TMP/oelint" 2>&1 || fail "oelint-adv: $(tail -n 1 "$TMP/oelint")"
    [ ! -s "$TMP/oelint" ] || { cat "$TMP/oelint"; return 1; }
}

kas_understands_every_combination() {
    local machine features
    for machine in kas/machine/*.yml; do
        for features in '' :kas/feature/debug.yml :kas/feature/qemu.yml :kas/feature/debug.yml:kas/feature/qemu.yml; do
            echo "kas/edgecam.yml:$machine$features"
        done
    done >"$TMP/combinations"
    # Repositories are not asked for: nothing is fetched, and the files are whole.
    xargs -P 2 -I{} sh -c "KAS_WORK_DIR='$TMP' '$BIN/kas' dump --skip finish_setup_repos {} >/dev/null 2>'$TMP'/\$\$.kas || { echo '    {}'; cat '$TMP'/\$\$.kas; exit 1; }" <"$TMP/combinations"
}

every_layer_is_pinned_by_commit() {
    python3 - kas/edgecam.yml <<-'PYTHON'
		import re, sys
		repos = open(sys.argv[1]).read().split("\nrepos:\n")[1].split("\nlocal_conf_header:")[0]
		parts = re.split(r"^  (\S+):\n", repos, flags=re.MULTILINE)[1:]
		for name, text in zip(parts[::2], parts[1::2]):
		    if "url:" in text and not re.search(r"^    commit: [0-9a-f]{40}$", text, re.MULTILINE):
		        sys.exit(f"    {name} is not pinned by a commit")
	PYTHON
}

the_crates_are_those_of_the_lock_file() {
    scripts/crates.py | diff recipes-edgecam/edgecam/edgecam-crates.inc - >"$TMP/crates" ||
        { head -n 5 "$TMP/crates"; fail "Cargo.lock changed: make yocto-lists"; }
}

the_modules_are_those_of_the_pinned_mediamtx() {
    local list=recipes-edgecam/mediamtx/mediamtx-modules.inc
    [ "$(sed -n 's/^MEDIAMTX_LISTED = "\(.*\)"/\1/p' "$list")" = "$MEDIAMTX_VERSION" ] ||
        fail "the list is of another release than versions.env pins, $MEDIAMTX_VERSION: make yocto-lists"
}

# The project as recipes see it, without bitbake: each function of lib/edgecam answers.
recipes_read_the_project() {
    PYTHONPATH=lib python3 - <<-'PYTHON'
		import re, sys, types
		from pathlib import Path
		sys.dont_write_bytecode = True
		parse = types.ModuleType("bb.parse")
		parse.mark_dependency = lambda d, path: None
		sys.modules["bb"], sys.modules["bb.parse"] = types.ModuleType("bb"), parse
		sys.modules["bb"].parse = parse
		from edgecam import project

		recipe = Path("recipes-edgecam/packagegroups/packagegroup-edgecam.bb").read_text()
		flags = dict(re.findall(r'^EDGECAM_PLUGINS\[(.+?)\] = "(.*)"$', recipe, re.MULTILINE))
		class Data:
		    def getVarFlags(self, name): return flags
		d = Data()
		assert "gstreamer1.0-plugins-ugly-x264" in project.plugins(d).split()
		assert "-DNCNN_ARM82=ON" in project.ncnn_options(d, "aarch64").split()
		assert "--uid 910 --gid edgecam " in project.users(d)["users"]
		assert "kernel-module-virtio-blk" in project.initramfs_modules(d)
		assert len(project.models(d, "nanodet-plus-m_320")) == 2
		assert re.fullmatch(r"\d+\.\d+\.\d+.*", project.version(d)), project.version(d)
		assert len(project.digest(d)) == 64
		for name in re.findall(r"pinned\(d, '(\w+)'\)", "".join(p.read_text() for p in Path(".").glob("recipes-*/*/*.bb"))):
		    assert project.pinned(d, name)
	PYTHON
}

the_card_of_wic_is_that_of_genimage() {
    card() { "$LAYER/../ota/image/build/render.py" "$@"; }
    card card "$TMP" | sed -n 's/^  partition \(.*\) {$/\1/p; s/^    size = \(.*\)/\1/p; s/^    partition-\(type-\)\?uuid = "\(.*\)"/\2/p' |
        paste -d' ' - - - - >"$TMP/genimage"
    card wks | sed -n 's/^part .*--part-name \([^ ]*\) --fixed-size \([^ ]*\) .*--part-type \([^ ]*\) --uuid \(.*\)/\1 \2 \3 \4/p' >"$TMP/wic"
    [ -s "$TMP/wic" ] || fail "render.py wks names no partition"
    diff "$TMP/genimage" "$TMP/wic" || fail "render.py card and render.py wks differ"
    [ "$(card card "$TMP" | grep -c 'partition-type = 0xC')" = "$(card wks | grep -c -- --mbr)" ] || fail "the MBRs differ"
}

what_recipes_take_is_there() {
    local path function missing=0
    for path in $(sources '*.bb' '*.bbclass' '*.conf' '*.inc' | xargs grep -hoE '\$\{EDGECAM_(ROOT|IMAGE)\}/[A-Za-z0-9_./-]+' |
        sed 's#^[^}]*ROOT}#..#; s#^[^}]*IMAGE}#../ota/image#' | sort -u) \
        $(sed -n 's#.*file://\(.*\);subdir=edgecam.*#../\1#p' recipes-edgecam/edgecam/edgecam-firmware.bb); do
        [ -e "$path" ] || { echo "    ${path#../} is taken by a recipe, and not there"; missing=1; }
    done
    for function in $(sources '*.bb' '*.bbclass' | xargs sed -n 's/.*edgecam_part \([a-z0-9_]*\).*/\1/p' | sort -u); do
        [ "$function" = FUNCTION ] || grep -qE "^$function\(\)" ../ota/image/build/*.sh ||
            { echo "    $function is called by a recipe, and ota/image/build has no such function"; missing=1; }
    done
    return "$missing"
}

# The numbers stand in versions.env alone; what cannot read it says the same.
versions_are_those_of_the_project() {
    local number file wrong=0
    for number in "$NCNN_VERSION" "$NCNN_SDIST_SHA256" "$MEDIAMTX_GO_SUM" "$HLSJS_SHA256"; do
        for file in $(sources . ../cross.toml ../firmware/setup/cross.Dockerfile | xargs grep -lF -- "$number"); do
            echo "    $file repeats $number of versions.env"
            wrong=1
        done
    done
    [ "$(sed -n 's/^FROM debian:\([a-z]*\).*/\1/p' ../firmware/setup/cross.Dockerfile)" = "$SYSROOT_SUITE" ] ||
        { echo "    cross.Dockerfile is not of $SYSROOT_SUITE, whose libraries make cross links against"; wrong=1; }
    grep -qF 'dockerfile = { file = "firmware/setup/cross.Dockerfile"' ../cross.toml ||
        { echo "    cross.toml does not name firmware/setup/cross.Dockerfile"; wrong=1; }
    [ "$(sed -n 's/^kas==\([^ ]*\).*/\1/p' ../firmware/setup/requirements-yocto.txt)" = "$(sed -n 's/.*pip install kas==\([0-9.]*\).*/\1/p' README.md)" ] ||
        { echo "    README.md names another kas than requirements-yocto.txt"; wrong=1; }
    return "$wrong"
}

failed=0
for check in oelint_adv_is_clean kas_understands_every_combination every_layer_is_pinned_by_commit \
    the_crates_are_those_of_the_lock_file the_modules_are_those_of_the_pinned_mediamtx recipes_read_the_project \
    the_card_of_wic_is_that_of_genimage what_recipes_take_is_there versions_are_those_of_the_project; do
    # Not in a condition: `set -e` would be off inside.
    set +e
    OUT=$(set -e; "$check" 2>&1)
    status=$?
    set -e
    if [ $status -eq 0 ]; then echo "  ok      ${check//_/ }"; else
        echo "  FAILED  ${check//_/ }"
        failed=1
    fi
    [ -z "$OUT" ] || printf '%s\n' "$OUT"
done
[ $failed = 0 ]
