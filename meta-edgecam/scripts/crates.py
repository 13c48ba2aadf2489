#!/usr/bin/env python3
"""Owns recipes-edgecam/edgecam/edgecam-crates.inc: the crates of Cargo.lock with their sums, as bitbake fetches them.

usage: crates.py   (prints the file)
"""

import tomllib
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def main() -> None:
    lock = tomllib.loads((Path(__file__).resolve().parents[2] / "Cargo.lock").read_text())
    crates = [(p["name"], p["version"], p["checksum"]) for p in lock["package"] if p.get("source") == REGISTRY]
    print("# Generated from Cargo.lock by meta-edgecam/scripts/crates.py; `make yocto-lists` makes it anew.")
    print('SRC_URI += "\\')
    for name, version, _ in crates:
        print(f"    crate://crates.io/{name}/{version} \\")
    print('"\n')
    for name, version, checksum in crates:
        print(f'SRC_URI[{name}-{version}.sha256sum] = "{checksum}"')


main()
