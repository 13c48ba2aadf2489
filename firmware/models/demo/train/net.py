"""The network: what it is made of, and how its outputs are read.

An anchor-free detector after NanoDet-Plus, GFL (arXiv:2006.04388) and FCOS (arXiv:1904.01355), of
this project's own making: plain convolutions where pictures are large and channels few, which is what
small CPUs do best, depthwise ones where channels are many; features joined downwards and upwards
(FPN, arXiv:1612.03144; PAN, arXiv:1803.01534); a head of its own for each of three strides.
"""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "cat", "dog"]
STRIDES = (8, 16, 32)
REG_MAX = 7
BINS = REG_MAX + 1
WIDTH, HEIGHT = 416, 256
# Pixels are red, green, blue in 0..=255; the same in the manifest.
MEAN, NORM = 117.0, 0.0171


def conv(i, o, size=3, stride=1, groups=1, act=True):
    layers = [nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if act else nn.Sequential(*layers)


def separable(i, o, stride=1, size=3):
    return nn.Sequential(conv(i, i, size, stride, groups=i), conv(i, o, 1))


class Residual(nn.Module):
    """Two depthwise separable convolutions beside a shortcut (ResNet, arXiv:1512.03385)."""

    def __init__(self, channels, size=3):
        super().__init__()
        self.body = nn.Sequential(separable(channels, channels, size=size), conv(channels, channels, 3, groups=channels), conv(channels, channels, 1, act=False))

    def forward(self, x):
        return F.relu(x + self.body(x))


class Head(nn.Module):
    """Class logits and distance bins of one stride, in one blob: classes, then 4 sides of bins."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(separable(channels, channels, size=5), separable(channels, channels, size=5))
        self.out = nn.Conv2d(channels, len(CLASSES) + 4 * BINS, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        # Nearly every cell is empty: start from there (focal loss, arXiv:1708.02002).
        nn.init.constant_(self.out.bias[: len(CLASSES)], -4.6)

    def forward(self, x):
        return self.out(self.body(x))


class Net(nn.Module):
    def __init__(self, neck=64):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2))
        self.c8 = nn.Sequential(conv(32, 64, 3, 2), Residual(64))
        self.c16 = nn.Sequential(separable(64, 128, 2), Residual(128), Residual(128))
        self.c32 = nn.Sequential(separable(128, 192, 2, size=5), Residual(192, size=5))
        self.lateral = nn.ModuleList([conv(c, neck, 1) for c in (64, 128, 192)])
        self.down = nn.ModuleList([separable(neck, neck, size=5) for _ in range(2)])
        self.shrink = nn.ModuleList([separable(neck, neck, 2, size=5) for _ in range(2)])
        self.up = nn.ModuleList([separable(neck, neck, size=5) for _ in range(2)])
        self.heads = nn.ModuleList([Head(neck) for _ in STRIDES])

    def forward(self, x):
        c8 = self.c8(self.stem(x))
        c16 = self.c16(c8)
        p8, p16, p32 = (layer(c) for layer, c in zip(self.lateral, (c8, c16, self.c32(c16))))
        p16 = self.down[0](p16 + F.interpolate(p32, scale_factor=2.0, mode="nearest"))
        p8 = self.down[1](p8 + F.interpolate(p16, scale_factor=2.0, mode="nearest"))
        p16 = self.up[0](p16 + self.shrink[0](p8))
        p32 = self.up[1](p32 + self.shrink[1](p16))
        return tuple(head(p) for head, p in zip(self.heads, (p8, p16, p32)))


def cells(width=WIDTH, height=HEIGHT):
    """Middle and stride of every cell, [cells, 3], in the order of `flatten`."""
    grids = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        middle = (torch.stack([x, y], -1).reshape(-1, 2).float() + 0.5) * stride
        grids.append(torch.cat([middle, torch.full((len(middle), 1), float(stride))], 1))
    return torch.cat(grids)


def flatten(outputs):
    """Heads' outputs → class logits [batch, cells, classes] and bins [batch, cells, 4, BINS]."""
    rows = torch.cat([o.flatten(2).transpose(1, 2) for o in outputs], 1)
    return rows[..., : len(CLASSES)], rows[..., len(CLASSES) :].reshape(*rows.shape[:2], 4, BINS)


def boxes(bins, cells):
    """Corners in pixels: the mean of each side's distribution, in strides from the cell's middle."""
    distance = (bins.softmax(-1) * torch.arange(BINS, dtype=bins.dtype)).sum(-1) * cells[:, 2:]
    middle = cells[:, :2]
    return torch.cat([middle - distance[..., :2], middle + distance[..., 2:]], -1)
