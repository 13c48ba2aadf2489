"""COCO's mAP of a detection result, by pycocotools: `coco_map.py ANNOTATIONS RESULTS`.

Prints mAP (IoU 0.50:0.95), AP50 and the mAP of small objects (below 32 x 32 pixels) of the pictures that
the annotations name, in percent.
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
