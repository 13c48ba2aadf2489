"""A data set that `edgecam-scene dataset --raw` wrote, as padded tensors."""

import json
import pathlib

import numpy as np
import torch

from net import CLASSES, HEIGHT, MEAN, NORM, WIDTH


class Scenes:
    """Pictures stay on disk (and in the page cache) as the bytes that the detector would be fed."""

    def __init__(self, folder, limit=None):
        folder = pathlib.Path(folder)
        truth = json.loads((folder / "annotations.json").read_text())
        count = len(truth["images"])
        self.pictures = np.memmap(folder / "frames.rgb", np.uint8, "r", shape=(count, HEIGHT, WIDTH, 3))
        names = {c["id"]: CLASSES.index(c["name"]) for c in truth["categories"]}
        self.objects = [([], []) for _ in range(count)]  # to be found, not to care for
        for a in truth["annotations"]:
            x, y, w, h = a["bbox"]
            row = (x, y, x + w, y + h, names[a["category_id"]])
            self.objects[a["image_id"] - 1][a["iscrowd"]].append(row)
        self.count = min(count, limit or count)

    def batch(self, indices, flips):
        """Normalised pictures, and boxes, labels, mask of objects and of don't-care regions."""
        pictures = self.pictures[indices]
        x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
        x = (x.float() - MEAN) * NORM
        rows = [[list(self.objects[i][kind]) for i in indices] for kind in (0, 1)]
        flips = torch.as_tensor(flips)
        if flips.any():
            x[flips] = x[flips].flip(-1)
        x = x.contiguous(memory_format=torch.channels_last)
        return x, *(pad(r, flips) for r in rows)


def pad(rows, flips):
    most = max(1, max(len(r) for r in rows))
    boxes, labels = torch.zeros(len(rows), most, 4), torch.zeros(len(rows), most, dtype=torch.long)
    boxes[..., 0:2] = -1e4  # nowhere
    boxes[..., 2:4] = -1e4 + 1
    valid = torch.zeros(len(rows), most, dtype=torch.bool)
    for n, row in enumerate(rows):
        if row:
            t = torch.tensor(row)
            if flips[n]:
                t[:, [0, 2]] = WIDTH - t[:, [2, 0]]
            boxes[n, : len(row)], labels[n, : len(row)], valid[n, : len(row)] = t[:, :4], t[:, 4].long(), True
    return boxes, labels, valid
