"""COCO's mAP of a detection result, by pycocotools: `coco_map.py ANNOTATIONS RESULTS`.

Prints mAP (IoU 0.50:0.95), AP50 and the mAP of small objects (below 32 x 32 pixels) of the pictures that
the annotations name, in percent; then a line a class that has objects there: its name, mAP, AP50, the
number of its objects.
"""

import contextlib
import io
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

with contextlib.redirect_stdout(io.StringIO()):  # it tells its progress there
    truth = COCO(sys.argv[1])
    judge = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
print(" ".join(f"{100 * judge.stats[i]:.3f}" for i in (0, 1, 3)))
precision = judge.eval["precision"]  # IoU, recall, class, area, most boxes
for n, id in enumerate(judge.params.catIds):
    count = len(truth.getAnnIds(catIds=[id], iscrowd=False))
    if count:
        ap, ap50 = precision[:, :, n, 0, 2].mean(), precision[0, :, n, 0, 2].mean()
        name = truth.cats[id]["name"].replace(" ", "_")
        print(f"{name} {100 * ap:.3f} {100 * ap50:.3f} {count}")
