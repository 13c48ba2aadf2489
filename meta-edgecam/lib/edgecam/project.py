"""Owns what recipes read of the project in which the layer lies: versions, users, models, the partition layout,
the state of its repository. Nothing of it is written down in the layer a second time.
"""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SETUP = ROOT / "firmware/setup"
IMAGE = ROOT / "ota/image"
MODELS = ROOT / "firmware/models"
# GStreamer plugins that have no package of their own.
WHOLE = ("gstreamer1.0", "libcamera-gst")


def _text(d: Any, path: Path) -> str:
    """A file of the project; recipes that read it are parsed anew when it changes."""
    import bb.parse

    bb.parse.mark_dependency(d, str(path))
    return path.read_text()


def pinned(d: Any, name: str) -> str:
    """A value of versions.env."""
    found = re.search(rf"^{name}=(\S+)$", _text(d, SETUP / "versions.env"), re.MULTILINE)
    if not found:
        raise ValueError(f"versions.env has no {name}")
    return found[1]


def version(d: Any) -> str:
    """The workspace's, which all its programs share."""
    return tomllib.loads(_text(d, ROOT / "Cargo.toml"))["workspace"]["package"]["version"]


def ncnn_options(d: Any, target: str) -> str:
    """What ncnn's CMake is told, but for the layers."""
    chosen, on = [], False
    for line in _text(d, SETUP / "ncnn-options.txt").splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith("@"):
            on = words[0] in ("@all", f"@{target}")
        elif on:
            chosen += words
    return " ".join(f"-D{option}" for option in chosen)


def users(d: Any) -> dict[str, str]:
    """Users and groups of sysusers.d, as parameters of the class useradd."""
    text = _text(d, IMAGE / "rootfs/usr/lib/sysusers.d/edgecam.conf")
    add, groups, members = [], [], []
    for line in text.splitlines():
        match re.findall(r'"[^"]*"|\S+', line.split("#")[0]):
            case ["u", name, number, comment, home]:
                place = "/" if home == "-" else home
                groups.append(f"--system --gid {number} {name}")
                add.append(f"--system --uid {number} --gid {name} --comment {comment} "
                           f"--home-dir {place} --no-create-home --shell /sbin/nologin {name}")
            case ["g", name, *_]:
                groups.append(f"--system {name}")
            case ["m", name, group]:
                members.append(f"--group {group} --add {name}")
            case []:
                pass
            case other:
                raise ValueError(f"sysusers.d/edgecam.conf: {other} is not understood here")
    return {"users": "; ".join(add), "groups": "; ".join(groups), "members": "; ".join(members)}


def models(d: Any, names: str) -> dict[str, tuple[str, str]]:
    """Files of the named models: address and SHA-256, by file name."""
    files = {}
    for path in sorted(MODELS.glob("*.toml")):
        manifest = tomllib.loads(_text(d, path))
        if manifest["name"] in names.split():
            for part in (manifest["param"], manifest["bin"]):
                files[part["file"]] = (part["url"], part["sha256"])
    return files


def render(d: Any, *arguments: str) -> str:
    """What ota/image/build/render.py prints."""
    _text(d, IMAGE / "layout.txt")
    _text(d, IMAGE / "build/render.py")
    command = [sys.executable, str(IMAGE / "build/render.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digest(d: Any) -> str:
    """The sum of the image builder: of all its files, and of where its links lead."""
    import bb.parse

    whole = hashlib.sha256()
    for path in sorted([*IMAGE.rglob("*"), IMAGE.parent / "keys.sh"]):
        whole.update(str(path.relative_to(ROOT)).encode())
        if path.is_symlink():
            whole.update(os.readlink(path).encode())
        else:
            bb.parse.mark_dependency(d, str(path))
            whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


def _git(*arguments: str) -> str:
    # Whoever owns the checkout: a container often builds as somebody else.
    command = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    return _git("rev-parse", "--short=12", "HEAD") or "unknown"


def committed_at() -> str:
    """Seconds since 1970: the time that everything in an image bears."""
    return _git("log", "-1", "--format=%ct") or str(int((ROOT / "Cargo.toml").stat().st_mtime))


def initramfs_modules(d: Any) -> list[str]:
    """Packages of the kernel modules that the initramfs loads where they are modules."""
    lines = _text(d, IMAGE / "initramfs/modules.txt").splitlines()
    names = [word for line in lines for word in line.split("#")[0].split()]
    return [f"kernel-module-{name.replace('_', '-')}" for name in names]


def plugins(d: Any) -> str:
    """Packages of the GStreamer plugins of plugins.txt; the recipe says whose each of them is."""
    listed = {word for line in _text(d, IMAGE / "plugins.txt").splitlines() for word in line.split("#")[0].split()}
    packages = {}
    for recipe, names in d.getVarFlags("EDGECAM_PLUGINS").items():
        # Some are the whole of a package.
        packages.update({name: recipe if recipe in WHOLE else f"{recipe}-{name}" for name in names.split()})
    if unknown := listed ^ packages.keys():
        raise ValueError(f"plugins.txt and EDGECAM_PLUGINS differ in {' '.join(sorted(unknown))}")
    return " ".join(sorted(packages.values()))
