"""The trained network → ncnn's `.param` and `.bin` with 16-bit weights, and their hashes in the
manifest: `export.py --from last.pt --to FOLDER`. pnnx folds batch normalisation into convolutions."""

import argparse
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import torch

from net import HEIGHT, WIDTH, Net

NAME = "edgecam_demo"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--from", dest="source", required=True)
    p.add_argument("--to", required=True, type=pathlib.Path)
    args = p.parse_args()
    net = Net().eval()
    net.load_state_dict(torch.load(args.source)["average"])
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        torch.jit.trace(net, torch.zeros(1, 3, HEIGHT, WIDTH)).save(work / "net.pt")
        pnnx = pathlib.Path(sys.executable).parent / "pnnx"
        command = [pnnx, "net.pt", f"inputshape=[1,3,{HEIGHT},{WIDTH}]f32", "fp16=1"]
        subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
        for kind in ("param", "bin"):
            shutil.copyfile(work / f"net.ncnn.{kind}", args.to / f"{NAME}.{kind}")
    manifest = args.to / "demo.toml"
    text = manifest.read_text()
    for kind in ("param", "bin"):
        digest = hashlib.sha256((args.to / f"{NAME}.{kind}").read_bytes()).hexdigest()
        text, hits = re.subn(rf'(file = "{NAME}\.{kind}"\n(?:.*\n)*?sha256 = ")[0-9a-f]*', rf"\g<1>{digest}", text)
        assert hits == 1, f"{manifest} has no place for the hash of {NAME}.{kind}"
    manifest.write_text(text)


if __name__ == "__main__":
    main()
