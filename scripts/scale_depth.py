"""Make all depths of a trained network larger by one factor, chosen on the frames its run held out.

    python scripts/scale_depth.py runs/nyu_bundle                  # what each factor would give
    python scripts/scale_depth.py runs/nyu_bundle --write 1.05     # into the weights in runs/nyu_bundle/best

A network that saw few frames answers nearer to the middle than it should on new ones. Frames are mirror-averaged and
compared under the protocol of their layout. `--write` may be repeated: the factor is that of the weights as trained.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import densedepth
from densedepth.commands.evaluate import held_out
from densedepth.evaluation import protocol_for
from densedepth.evaluation.comparison import compare
from densedepth.metrics import DepthMetrics
from densedepth.models import load_checkpoint, save_checkpoint

SHOWN = ("delta1", "abs_rel", "rmse", "log10")


def measured(run: Path, root: Path | None, factors: list[float]) -> list[str]:
    """A line of the table for each factor."""
    layout, frames = held_out(run, root)
    protocol = protocol_for(layout, None)
    estimator = densedepth.load(run)
    metrics = [DepthMetrics() for _ in factors]
    log_ratios = []
    for index in tqdm(range(len(frames)), unit="frame"):
        frame = frames[index]
        found = compare(estimator, frame, protocol, tta=True, alignment="none")
        predicted_m, truth_m = found.predicted_m[found.counted], frame.depth_m[found.counted]
        log_ratios.append(float(np.median(np.log(predicted_m / truth_m))))
        for factor, sums in zip(factors, metrics, strict=True):
            sums.update(np.minimum(predicted_m * factor, protocol.cap_m), truth_m)
    lines = [f"{len(frames)} frames, mean over images of the median log ratio {np.mean(log_ratios):.3f}", ""]
    lines += [f"| factor | {' | '.join(SHOWN)} |", "|---|" + "---|" * len(SHOWN)]
    for factor, sums in zip(factors, metrics, strict=True):
        values = sums.per_image()
        lines.append(f"| {factor:g} | " + " | ".join(f"{values[name]:.3f}" for name in SHOWN) + " |")
    return lines


def write(run: Path, factor: float) -> None:
    """Put the factor into the bias of the last layer, which is a logarithm of reciprocal depth."""
    net, info = load_checkpoint(run)
    if net.architecture.output != "exp":
        raise SystemExit(f"{run}: its output is {net.architecture.output}; only that of exp has a factor")
    before = float(info.get("depth_factor", 1.0))
    with torch.no_grad():
        dict(net.decoder.conv3.named_parameters())["bias"].sub_(math.log(factor / before))
    save_checkpoint(net, run / "best", {**info, "depth_factor": factor})
    print(f"{run / 'best'}: all depths {factor:g} times those of the training, {before:g} before")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("--root", type=Path, help="of the data set, where it is not the recipe's any more")
    parser.add_argument("--factors", type=float, nargs="+", default=[0.97, 1.0, 1.03, 1.06, 1.09])
    parser.add_argument("--write", type=float, metavar="FACTOR")
    args = parser.parse_args()
    if args.write is not None:
        write(args.run, args.write)
    else:
        print("\n".join(measured(args.run, args.root, args.factors)))


if __name__ == "__main__":
    main()
