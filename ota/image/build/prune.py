#!/usr/bin/env python3
"""Owns what leaves a tree of packages: everything that nothing in the image uses.

Packages named by the image stay whole. Of those that came along as dependencies stay the libraries
that are reached by linking from what stays, with the package's other files; the rest goes, whole
packages with it. Of GStreamer's plugins stay those that are listed, of kernel modules and firmware
those that a rule of `drop.txt` does not take away. `.packages` tells what is left.

usage: prune.py TREE PACKAGES PLUGINS DROP   (the last three: files, one word or pattern each)
"""

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

LIBRARIES = "usr/lib/aarch64-linux-gnu"
PLUGIN = re.compile(LIBRARIES + r"/gstreamer-1\.0/libgst(.+)\.so$")
# Loaded by name at run time, by glibc and systemd: no link leads to them.
BY_NAME = ["libgcc_s.so.1", "libnss_*.so*", "libseccomp.so*", "libkmod.so*", "libacl.so*", "libblkid.so*",
           "libmount.so*", "libfdisk.so*", "libzstd.so*", "liblzma.so*", "libcrypt.so*"]


def words(path: str) -> set[str]:
    lines = (line.split("#")[0] for line in Path(path).read_text().splitlines())
    return {word for line in lines for word in line.split()}


def is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


class Tree:
    """The files of each package, and what each of them links to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = {}
        for listing in (root / ".files").iterdir():
            names = {self.real(name) for name in listing.read_text().splitlines()}
            self.files[listing.name] = {name for name in names if os.path.lexists(root / name)}
        self.elf = {name for names in self.files.values() for name in names if is_elf(root / name)}
        self.links = self.read_links()

    def real(self, name: str) -> str:
        """Where a file of a package lies in a tree with merged /usr."""
        top = name.split("/")[0]
        return f"usr/{name}" if top in ("bin", "sbin", "lib") else name

    def read_links(self) -> dict[str, set[str]]:
        command = ["readelf", "-dW", *(str(self.root / name) for name in sorted(self.elf))]
        text = subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
        links: dict[str, set[str]] = {}
        at = ""
        for line in text.splitlines():
            if line.startswith("File: "):
                at = os.path.relpath(line[6:], self.root)
            elif found := re.search(r"\(NEEDED\).*\[(.*)\]", line):
                links.setdefault(at, set()).add(found[1])
        return links

    def library(self, soname: str) -> str | None:
        for folder in (LIBRARIES, LIBRARIES + "/systemd", "usr/lib"):
            path = self.root / folder / soname
            if path.exists():
                return os.path.relpath(os.path.realpath(path), os.path.realpath(self.root))
        return None

    def reached(self, roots: set[str]) -> set[str]:
        seen: set[str] = set()
        waiting = list(roots)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for soname in self.links.get(name, ()):
                library = self.library(soname)
                if library is None:
                    sys.exit(f"prune: {name} needs {soname}, which no package of the image has")
                waiting.append(library)
        return seen


def by_name(tree: Tree) -> set[str]:
    names = {name for name in tree.elf if os.path.dirname(name) == LIBRARIES}
    return {name for name in names if any(fnmatch.fnmatch(os.path.basename(name), p) for p in BY_NAME)}


def dropped(name: str, plugins: set[str], drop: list[str]) -> bool:
    plugin = PLUGIN.match(name)
    if plugin and plugin[1] not in plugins:
        return True
    return any(fnmatch.fnmatch(name, pattern) for pattern in drop)


def main() -> None:
    root, listed, plugins = Path(sys.argv[1]), words(sys.argv[2]), words(sys.argv[3])
    drop = sorted(words(sys.argv[4]))
    tree = Tree(root)
    patterns = {word[1:] for word in listed if word.startswith("+")}
    listed = {word for word in listed if not word.startswith("+")}
    listed |= {name for name in tree.files for pattern in patterns if fnmatch.fnmatch(name, pattern)}
    missing = listed - tree.files.keys()
    if missing:
        sys.exit(f"prune: named and not there: {' '.join(sorted(missing))}")
    stays = {name for package in listed for name in tree.files[package] if not dropped(name, plugins, drop)}
    reached = tree.reached((stays & tree.elf) | by_name(tree))
    for package, names in tree.files.items():
        if package not in listed and names & reached:
            stays |= {name for name in names - tree.elf if not dropped(name, plugins, drop)}
    stays |= reached
    left = set()
    for package, names in tree.files.items():
        if names & stays:
            left.add(package)
        for name in names - stays:
            (root / name).unlink(missing_ok=True)
    for link in [path for path in (root / LIBRARIES).iterdir() if path.is_symlink() and not path.exists()]:
        link.unlink()
    for folder, _, _ in os.walk(root, topdown=False):
        if not os.listdir(folder) and folder.count("/") - str(root).count("/") > 2:
            os.rmdir(folder)
    lines = (root / ".packages").read_text().splitlines(keepends=True)
    (root / ".packages").write_text("".join(line for line in lines if line.split()[0] in left))
    print(f"{len(left)} of {len(tree.files)} packages are left, {len(stays)} files")


main()
