"""COCO's mAP of a network on a data set, in PyTorch: to follow the training by. The product's own
number comes from the Rust detector."""

import contextlib
import io

import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from net import CLASSES, boxes, cells, flatten
from loss import iou_of


def suppress(found, scores, threshold=0.6):
    """Boxes that no better one of their class overlaps by the threshold."""
    order, kept = scores.argsort(descending=True).tolist(), []
    overlap = iou_of(found[:, None], found[None])
    for n in order:
        if all(overlap[n, k] < threshold for k in kept):
            kept.append(n)
    return kept


@torch.no_grad()
def judge(net, scenes, annotations, score=0.05, batch=25):
    net.eval()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(annotations)
    ids = {c["name"]: c["id"] for c in truth.dataset["categories"]}
    grid, results = cells(), []
    for start in range(0, scenes.count, batch):
        indices = list(range(start, min(start + batch, scenes.count)))
        x, *_ = scenes.batch(indices, [False] * len(indices))
        logits, bins = flatten(net(x))
        for n, (logit, corners) in enumerate(zip(logits.sigmoid(), boxes(bins, grid))):
            for label, name in enumerate(CLASSES):
                passed = logit[:, label] >= score
                scores, found = logit[passed, label], corners[passed]
                for k in suppress(found, scores):
                    l, t, r, b = found[k].tolist()
                    l, t, r, b = max(l, 0), max(t, 0), min(r, 416), min(b, 256)
                    results.append({"image_id": indices[n] + 1, "category_id": ids[name], "bbox": [l, t, r - l, b - t], "score": scores[k].item()})
    if not results:
        return 0.0, 0.0, {}
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.params.imgIds = list(range(1, scenes.count + 1))
        run.evaluate()
        run.accumulate()
        run.summarize()
    precision = run.eval["precision"]  # IoU, recall, class, area, most boxes
    by_id = {c: n for n, c in enumerate(run.params.catIds)}
    mean = lambda p: float(p[p > -1].mean()) if (p > -1).any() else float("nan")
    classes = {n: (mean(precision[:, :, by_id[ids[n]], 0, 2]), mean(precision[0, :, by_id[ids[n]], 0, 2])) for n in CLASSES}
    return float(run.stats[0]), float(run.stats[1]), classes
