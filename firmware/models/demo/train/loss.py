"""What the network is to learn from a batch: which cell stands for which object, and the loss.

Cells are assigned by how well they already do (task alignment, TOOD, arXiv:2108.07755); classes are
learnt by quality focal loss, sides by distribution focal loss (GFL, arXiv:2006.04388) and GIoU
(arXiv:1902.09630). Don't-care regions weigh nothing.
"""

import torch
from torch.nn import functional as F

from net import BINS, REG_MAX, boxes, flatten

TOP = 9  # cells an object can have at most
ALPHA, BETA = 0.5, 4.0


def iou_of(a, b, generalised=False):
    """Overlap of boxes, corner form, broadcast."""
    lt, rb = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    area = lambda c: (c[..., 2:] - c[..., :2]).clamp(min=0).prod(-1)
    union = area(a) + area(b) - inter + 1e-6
    if not generalised:
        return inter / union
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1) + 1e-6
    return inter / union - (hull - union) / hull


@torch.no_grad()
def assign(scores, found, cells, truth, labels, valid):
    """→ index of each cell's object [B, N], and the quality it should score [B, N] (0: none)."""
    x, y, stride = cells.unbind(1)
    left, top, right, bottom = (side[..., None] for side in truth.unbind(-1))  # [B, G, 1]
    # A thin object must have cells too: it counts as at least 12 pixels wide and high here.
    wide, high = (right - left).clamp(min=12) / 2, (bottom - top).clamp(min=12) / 2
    inside = ((x - (left + right) / 2).abs() < wide) & ((y - (top + bottom) / 2).abs() < high)
    reach = torch.stack([x - left, y - top, right - x, bottom - y]).amax(0)
    allowed = inside & (reach < REG_MAX * stride) & valid[..., None]
    iou = iou_of(truth[:, :, None], found[:, None])  # [B, G, N]
    score = scores.transpose(1, 2).gather(1, labels[..., None].expand(-1, -1, len(cells)))
    # Nearer to the middle is better among equals: early on all overlaps are alike.
    off = torch.hypot((x - (left + right) / 2) / wide, (y - (top + bottom) / 2) / high)
    metric = (score.pow(ALPHA) * iou.pow(BETA) + 1e-6 * (2 - off)) * allowed
    top_metric, top_cells = metric.topk(TOP, -1)
    chosen = torch.zeros_like(metric).scatter_(-1, top_cells, (top_metric > 0).float())
    metric = metric * chosen
    # An object's best cell should score its overlap, the others in proportion.
    best = metric.amax(-1, keepdim=True).clamp(min=1e-12)
    peak = (iou * chosen).amax(-1, keepdim=True).clamp(min=0.05)
    quality, owner = (metric / best * peak).max(1)
    return owner, quality


def loss_of(outputs, cells, truth, labels, valid, ignored, ignored_labels):
    """Mean loss of a batch. Boxes are padded to [B, G, 4]; `valid` tells the real ones."""
    logits, bins = flatten(outputs)
    found = boxes(bins, cells)
    owner, quality = assign(logits.detach().sigmoid(), found.detach(), cells, truth, labels, valid)
    positive = quality > 0
    label = labels.gather(1, owner)
    target = torch.zeros_like(logits).scatter_(-1, label[..., None], quality[..., None])
    weight = (target - logits.detach().sigmoid()).pow(2)
    weight = weight * care(cells, target, ignored, ignored_labels)
    total = quality.sum().clamp(min=1)
    classes = (weight * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum() / total
    q = quality[positive]
    box = truth.gather(1, owner[..., None].expand(-1, -1, 4))[positive]
    overlap = ((1 - iou_of(found[positive], box, generalised=True)) * q).sum() / total
    here = cells.expand(len(truth), -1, -1)[positive]
    sides = torch.cat([here[:, :2] - box[:, :2], box[:, 2:] - here[:, :2]], 1) / here[:, 2:]
    shape = (distribution(bins[positive], sides) * q).sum() / total
    return classes + 2.0 * overlap + 0.35 * shape, (classes.item(), overlap.item(), shape.item())


def distribution(bins, sides):
    """Distribution focal loss: the two bins beside the true distance share the weight."""
    sides = sides.clamp(0, REG_MAX - 0.01)
    low = sides.long()
    rest = sides - low
    ce = lambda bin: F.cross_entropy(bins.reshape(-1, BINS), bin.reshape(-1), reduction="none").reshape(sides.shape)
    return (ce(low) * (1 - rest) + ce(low + 1) * rest).mean(-1)


def care(cells, target, ignored, labels):
    """0 where a cell lies in a don't-care region of a class and stands for no object of it."""
    x, y, _ = cells.unbind(1)
    left, top, right, bottom = (side[..., None] for side in ignored.unbind(-1))
    inside = (x > left - 4) & (x < right + 4) & (y > top - 4) & (y < bottom + 4)  # [B, I, N]
    hits = torch.zeros(len(ignored), target.shape[2], target.shape[1])
    hits.scatter_reduce_(1, labels[..., None].expand(-1, -1, len(cells)), inside.float(), "amax")
    return 1 - hits.transpose(1, 2) * (target == 0)
