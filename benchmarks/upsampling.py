"""Edges of depth at full resolution: bilinear against guided up-sampling, without and with tiles.

    python benchmarks/upsampling.py --root ../shared/nyu

Two tables. The model's predictions on the frames that the recipe of the shipped bundle holds out by scene inside the
training part of NYU (never a test frame), and exact depth of drawn rooms, or of --truth, a set in the csv layout, of
which every fourth pixel both ways is kept. F1, precision and recall are those of evaluation/edges.py, a mean over
images. The time is processor time of the up-sampling alone, for a million pixels of photo.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from densedepth.data import DepthDataset, Frame, open_dataset, split_by_scene
from densedepth.data.synth import SynthConfig, SyntheticRooms
from densedepth.evaluation.edges import EDGE_THRESHOLDS, EdgeQuality, threshold_name
from densedepth.evaluation.protocols import PROTOCOLS
from densedepth.metrics import DepthMetrics
from densedepth.runtime import DepthEstimator, load
from densedepth.runtime.upsampling import Upsampling, enlarged, guided

KEPT = 4
"""Of the exact depth, every so-manyth pixel."""

Answer = Callable[[Frame], tuple[np.ndarray, float]]
"""Full-size metres, and seconds if they are known."""


def row(name: str, frames: DepthDataset | Sequence[Frame], protocol: str, answer: Answer) -> None:
    edges, metrics, seconds, pixels = EdgeQuality(), DepthMetrics(), 0.0, 0
    rules = PROTOCOLS[protocol]
    for index in range(len(frames)):
        frame = frames[index]
        depth_m, spent_s = answer(frame)
        counted = rules.counted(frame.depth_m, frame.valid, frame.key)
        depth_m = depth_m.clip(rules.min_depth_m, rules.cap_m)
        edges.update(depth_m, frame.depth_m, counted)
        metrics.update(depth_m[counted], frame.depth_m[counted])
        seconds, pixels = seconds + spent_s, pixels + depth_m.size
    scores, values = edges.summary(), metrics.per_image()
    f1 = " ".join(f"{scores[threshold_name(limit)]['f1']:6.3f}" for limit in EDGE_THRESHOLDS)
    first = scores[threshold_name(EDGE_THRESHOLDS[0])]
    times = f"{seconds / pixels * 1e9:6.0f}" if seconds else "     -"
    print(
        f"{name:24s} {f1} {first['precision']:10.3f} {first['recall']:7.3f} {values['delta1']:7.4f} "
        f"{values['abs_rel']:8.4f} {times}",
        flush=True,
    )


def header(title: str) -> None:
    f1 = " ".join(f"F1 {limit:3.2g}" for limit in EDGE_THRESHOLDS)
    print(f"\n{title}\n{'':24s} {f1} {'precision':>10} {'recall':>7} {'delta1':>7} {'abs_rel':>8} {'ms/MP':>6}")


def of_model(estimator: DepthEstimator, tiles: int, upsample: Upsampling) -> Answer:
    return lambda frame: (estimator.predict(frame.image, tiles=tiles, upsample=upsample).depth_m, 0.0)


def of_truth(upsample: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Answer:
    def answer(frame: Frame) -> tuple[np.ndarray, float]:
        kept = np.ascontiguousarray(frame.depth_m[KEPT // 2 :: KEPT, KEPT // 2 :: KEPT])
        started_s = time.process_time()
        return upsample(kept, frame.image), time.process_time() - started_s

    return answer


def bilinear(depth_m: np.ndarray, image: np.ndarray) -> np.ndarray:
    return enlarged(depth_m, (image.shape[1], image.shape[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="NYU Depth v2 in the csv layout; without it only exact depth")
    parser.add_argument("--model", default="nyu")
    parser.add_argument("--truth", type=Path, help="set in the csv layout with exact depth; drawn rooms by default")
    parser.add_argument("--frames", type=int, default=40, help="of exact depth")
    args = parser.parse_args()
    if args.root is not None:
        _, held_out = split_by_scene(open_dataset("nyu", args.root, "train"), 0.06, 0)
        estimator = load(args.model, threads=1)
        header(f"{args.model} on {len(held_out)} frames held out of the training part, nyu-eigen, no mirroring")
        for tiles in (1, 2):
            for upsample in get_args(Upsampling):
                name = upsample if tiles == 1 else f"{upsample}, tiles {tiles}"
                row(name, held_out, "nyu-eigen", of_model(estimator, tiles, upsample))
    if args.truth is None:
        rooms = SyntheticRooms(4 * args.frames, 0, SynthConfig(640, 480, (60.0, 60.0), 4))
        exact, where = [rooms[index] for index in range(0, 4 * args.frames, 4)], "drawn rooms, 640x480"
    else:
        rendered = open_dataset("nyu", args.truth, "test")
        every = max(1, len(rendered) // args.frames)
        exact, where = [rendered[index] for index in range(0, len(rendered), every)], str(args.truth)
    header(f"every {KEPT}th pixel of the exact depth of {len(exact)} frames, {where}")
    row("bilinear", exact, "none", of_truth(bilinear))
    row("guided", exact, "none", of_truth(guided))


if __name__ == "__main__":
    main()
