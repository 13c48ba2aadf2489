#!/usr/bin/env python3
"""Owns the files that repeat the partition layout: each is printed from layout.txt.

usage: render.py rauc COMPATIBLE uboot|custom [OLDEST]   RAUC's system.conf; no version before OLDEST is installed
       render.py env                            where fw_setenv finds the slot state
       render.py card FOLDER                    genimage's description of the card; FOLDER has the contents
       render.py wks NAME=FILE...               wic's description of the same card; FILE is what NAME holds
       render.py cmdline a|b                    what the kernel of a slot is told where no script tells it
       render.py size NAME                      MiB of a partition
"""

import sys
from pathlib import Path
from typing import NamedTuple

LAYOUT = Path(__file__).parent.parent / "layout.txt"
# Types of the GPT, by what a partition holds.
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
LINUX_DATA = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
VARIABLE_DATA = "4D21B016-B534-45C2-A9FB-5C16E091FD2D"
TYPES = {"fat": BASIC_DATA, "raw": LINUX_DATA, "squashfs": LINUX_DATA, "ext4": VARIABLE_DATA}
# Fixed, so that two builds are alike: a card is told from another by its machine id.
DISK = "ec5ca3e0-0000-4000-8000-000000000000"
SIGNATURE = "0xec5ca3e0"


class Partition(NamedTuple):
    name: str
    mib: int
    holds: str
    in_mbr: bool


def layout() -> list[Partition]:
    lines = (line.split("#")[0].split() for line in LAYOUT.read_text().splitlines())
    return [Partition(name, int(mib), holds, bool(rest)) for name, mib, holds, *rest in filter(None, lines)]


def uuid(number: int) -> str:
    return f"{DISK[:-12]}{number:012x}"


def rauc(compatible: str, bootloader: str, oldest: str = "") -> str:
    backend = "[handlers]\nbootloader-custom-backend=/usr/lib/edgecam/tryboot/backend.sh\n" if bootloader == "custom" else "[handlers]\n"
    attempts = "boot-attempts=3\nboot-attempts-primary=3\n" if bootloader == "uboot" else ""
    floor = f"min-bundle-version={oldest}\n" if oldest else ""
    text = f"""[system]
compatible={compatible}
bootloader={bootloader}
{attempts}data-directory=/data/rauc
bundle-formats=verity
{floor}
[keyring]
path=/etc/rauc/keyring.pem
check-purpose=codesign

{backend}pre-install=/usr/lib/edgecam/rauc-pre-install
"""
    for number, name in enumerate("ab"):
        text += f"""
[slot.rootfs.{number}]
device=/dev/disk/by-partlabel/rootfs-{name}
type=raw
bootname={name.upper()}

[slot.boot.{number}]
device=/dev/disk/by-partlabel/boot-{name}
type=raw
parent=rootfs.{number}
"""
    return text


def env() -> str:
    return "/dev/disk/by-partlabel/env 0x0 0x200\n"


def card(folder: str) -> str:
    text = f"""image card.img {{
  hdimage {{
    partition-table-type = "hybrid"
    align = 1M
    disk-uuid = "{DISK}"
    disk-signature = {SIGNATURE}
  }}
"""
    for number, part in enumerate(layout(), 1):
        kind = 'partition-type = 0xC\n    ' if part.in_mbr else ""
        image = f'image = "{part.name}.img"\n    ' if (Path(folder) / f"{part.name}.img").exists() else ""
        text += f"""  partition {part.name} {{
    {image}{kind}size = {part.mib}M
    partition-type-uuid = "{TYPES[part.holds]}"
    partition-uuid = "{uuid(number)}"
  }}
"""
    return text + "}\n"


def wks(*contents: str) -> str:
    files = dict(content.split("=", 1) for content in contents)
    text = f"bootloader --ptable gpt-hybrid --diskid {DISK}\n"
    for number, part in enumerate(layout(), 1):
        if part.name in files:
            source = f'--source rawcopy --sourceparams="file={files[part.name]}"'
        else:
            # The MBR's type follows from the file system: an empty one, where it is in there.
            source = f"--fstype vfat --fsuuid {SIGNATURE}" if part.in_mbr else "--fstype none"
        text += (f"part {source} --part-name {part.name} --fixed-size {part.mib}M --align 1024"
                 f"{' --mbr' if part.in_mbr else ''} --part-type {TYPES[part.holds]} --uuid {uuid(number)}\n")
    return text


def cmdline(slot: str) -> str:
    root = f"root=PARTLABEL=rootfs-{slot} rauc.slot={slot.upper()}"
    # cgroup_enable: the Pi's boot loader switches the limits of memory off, and the last word counts.
    return f"console=tty1 {root} panic=5 systemd.gpt_auto=0 cgroup_enable=memory quiet loglevel=4\n"


def main() -> None:
    match sys.argv[1:]:
        case ["rauc", compatible, bootloader, *oldest] if len(oldest) < 2:
            print(rauc(compatible, bootloader, *oldest), end="")
        case ["env"]:
            print(env(), end="")
        case ["card", folder]:
            print(card(folder), end="")
        case ["wks", *contents]:
            print(wks(*contents), end="")
        case ["cmdline", ("a" | "b") as slot]:
            print(cmdline(slot), end="")
        case ["size", name]:
            print(next(part.mib for part in layout() if part.name == name))
        case _:
            sys.exit(__doc__)


main()
