"""Trains the network: `train.py --data FOLDER --judge FOLDER --out FOLDER`. Goes on from the last
epoch that was finished where it was interrupted; the same seed takes the same way."""

import argparse
import copy
import math
import pathlib
import time

import numpy as np
import torch

from data import Scenes
from judge import judge
from loss import loss_of
from net import Net, cells


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", required=True)
    p.add_argument("--judge", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--limit", type=int)
    p.add_argument("--judge-every", type=int, default=1, help="epochs")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    scenes, held = Scenes(args.data, args.limit), Scenes(args.judge, args.limit)
    net = Net().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)  # moving average of the weights
    steps = scenes.count // args.batch
    groups = [
        {"params": [w for w in net.parameters() if w.ndim > 1], "weight_decay": 0.05},
        {"params": [w for w in net.parameters() if w.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=args.rate)
    first, last = 0, out / "last.pt"
    if last.exists():
        state = torch.load(last)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"] + 1
    say = lambda line: print(line, flush=True)
    say(f"{sum(w.numel() for w in net.parameters())} parameters, {scenes.count} pictures, {steps} steps an epoch")
    grid = cells()
    for epoch in range(first, args.epochs):
        began, sums = time.time(), np.zeros(4)
        lot = np.random.default_rng(args.seed * 1000 + epoch)
        order = lot.permutation(scenes.count)
        net.train()
        for step in range(steps):
            done = epoch * steps + step
            rise, share = min(1, (done + 1) / min(200, steps)), done / (args.epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = args.rate * rise * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
            indices = np.sort(order[step * args.batch : (step + 1) * args.batch])
            x, objects, ignored = scenes.batch(indices, lot.random(args.batch) < 0.5)
            loss, parts = loss_of(net(x), grid, *objects, *ignored[:2])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            optimiser.step()
            follow(average, net, min(0.998, (done + 1) / (done + 20)))
            sums += (loss.item(), *parts)
            if step % 50 == 49:
                say(f"  epoch {epoch} step {step + 1} loss {sums[0] / (step + 1):.3f} {(step + 1) * args.batch / (time.time() - began):.1f} pictures/s")
        took = time.time() - began
        torch.save({"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch}, out / "part.pt")
        (out / "part.pt").rename(last)
        means = sums / steps
        line = f"epoch {epoch} loss {means[0]:.3f} (class {means[1]:.3f} box {means[2]:.3f} sides {means[3]:.3f}) {took:.0f} s"
        if (epoch + 1) % args.judge_every == 0:
            m, ap50, classes = judge(average, held, f"{args.judge}/annotations.json")
            table = " ".join(f"{name} {100 * a:.0f}/{100 * b:.0f}" for name, (a, b) in classes.items())
            line += f"; mAP {100 * m:.1f} AP50 {100 * ap50:.1f}; {table}"
        say(line)


@torch.no_grad()
def follow(average, net, keep):
    for a, b in zip(average.state_dict().values(), net.state_dict().values()):
        if a.dtype.is_floating_point:
            a.lerp_(b, 1 - keep)
        else:
            a.copy_(b)


if __name__ == "__main__":
    main()
