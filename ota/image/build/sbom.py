#!/usr/bin/env python3
"""Owns the parts list of an image (CycloneDX 1.6): Debian's packages that are in its root, the crates of
the product as built for it, the modules of MediaMTX, ncnn.

usage: sbom.py VERSION BUILT_AT PACKAGES CRATES MODULES NCNN_VERSION
       PACKAGES: name, version, architecture, SHA-256 a line; CRATES: `cargo tree`, name and version a line;
       MODULES: `go version -m`
"""

import json
import sys
import uuid
from pathlib import Path


def component(kind: str, name: str, version: str, purl: str, sha256: str = "") -> dict:
    part = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if sha256:
        part["hashes"] = [{"alg": "SHA-256", "content": sha256}]
    return part


def debian(path: str) -> list[dict]:
    rows = (line.split() for line in Path(path).read_text().splitlines())
    return [
        component("library", name, version, f"pkg:deb/debian/{name}@{version}?arch={arch}", sha256)
        for name, version, arch, sha256 in rows
    ]


def crates(path: str) -> list[dict]:
    names = {tuple(line.split()[:2]) for line in Path(path).read_text().splitlines() if line.strip()}
    return [
        component("library", name, version.lstrip("v"), f"pkg:cargo/{name}@{version.lstrip('v')}")
        for name, version in sorted(names)
    ]


def modules(path: str) -> list[dict]:
    rows = (line.split() for line in Path(path).read_text().splitlines())
    found = sorted({(row[1], row[2]) for row in rows if len(row) >= 3 and row[0] in ("mod", "dep")})
    return [component("library", name, version, f"pkg:golang/{name}@{version}") for name, version in found]


def main() -> None:
    version, built_at, packages, tree, go, ncnn = sys.argv[1:]
    parts = debian(packages) + crates(tree) + modules(go)
    parts.append(component("library", "ncnn", ncnn, f"pkg:pypi/ncnn@1.0.{ncnn}"))
    image = component("operating-system", "edgecam", version, f"pkg:generic/edgecam@{version}")
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"edgecam-{version}-{built_at}")
    print(json.dumps({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"timestamp": built_at, "component": image},
        "components": parts,
    }, indent=1))


main()
