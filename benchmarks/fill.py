"""In-painting: the fast form against the exact solution, on the same frames, in one run.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/fill.py --nyu NYU_ROOT --kitti KITTI_OBJECT_ROOT

NYU frames come filled, so holes as a Kinect has them are punched into them first: shadows beside near objects, blobs,
the border and specks; the crop is the 425x560 of the NYU toolbox. KITTI frames are projected velodyne scans. Processor
time says what the work costs where other programs disturb the clock; of the repeated runs the median is shown. The
difference is that of the filled pixels, in millimetres.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from densedepth.data import open_dataset
from densedepth.data.fill import fill_depth

CROP = np.s_[44:469, 40:600]


def punch(depth_m: np.ndarray, seed: int) -> np.ndarray:
    """Depth of a whole frame with the holes that a Kinect leaves."""
    rng = np.random.default_rng(seed)
    edges = np.abs(np.diff(depth_m, axis=1, prepend=depth_m[:, :1])) > 0.12 * depth_m
    shadows = ndimage.binary_dilation(edges, np.ones((3, 15)))
    hills = ndimage.gaussian_filter(rng.standard_normal(depth_m.shape), 12)
    holes = shadows | (hills > np.quantile(hills, 0.93)) | (rng.random(depth_m.shape) < 0.005)
    holes[:6] = holes[-8:] = holes[:, :10] = holes[:, -14:] = True
    return np.where(holes, 0, depth_m).astype(np.float32)


def frames(nyu: Path | None, kitti: Path | None, count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, photo, depth with holes)."""
    if nyu is not None:
        dataset = open_dataset("nyu", nyu, "test")
        for index in np.linspace(0, len(dataset) - 1, count).astype(int):
            frame = dataset[index]
            yield f"nyu {index}", frame.image[CROP], punch(frame.depth_m[CROP], seed=int(index))
    if kitti is not None:
        dataset = open_dataset("kitti-object", kitti, "train")
        for index in range(min(count, len(dataset))):
            frame = dataset[index]
            yield f"kitti {index}", frame.image, frame.depth_m


def timed(rgb: np.ndarray, depth_m: np.ndarray, exact: bool) -> tuple[np.ndarray, float, float]:
    """Result, processor seconds and seconds by the clock."""
    processor_s, clock_s = time.process_time(), time.perf_counter()
    filled_m = fill_depth(rgb, depth_m, exact=exact)
    return filled_m, time.process_time() - processor_s, time.perf_counter() - clock_s


def main() -> None:
    parser = argparse.ArgumentParser(description="In-painting, fast against exact.")
    parser.add_argument("--nyu", type=Path, help="folder with data/nyu2_test.csv")
    parser.add_argument("--kitti", type=Path, help="folder of the KITTI object benchmark")
    parser.add_argument("--count", type=int, default=4, help="frames of each")
    parser.add_argument("--repeats", type=int, default=5, help="runs of the fast form")
    arguments = parser.parse_args()
    if not (arguments.nyu or arguments.kitti):
        parser.error("give --nyu, --kitti or both")
    # Imports, and the elimination order that is made once for each size of image, belong to no frame.
    fill_depth(np.zeros((8, 8, 3), np.uint8), np.eye(8))
    print(
        "| frame | size | known | fast, processor s | fast, clock s | exact, processor s | p50 mm | p99 mm | max mm |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, rgb, depth_m in frames(arguments.nyu, arguments.kitti, arguments.count):
        runs = [timed(rgb, depth_m, exact=False) for _ in range(arguments.repeats)]
        exact_m, exact_s, _ = timed(rgb, depth_m, exact=True)
        holes = depth_m == 0
        difference_mm = 1000 * np.abs(runs[0][0].astype(np.float64) - exact_m)[holes]
        p50, p99, most = np.quantile(difference_mm, [0.5, 0.99, 1])
        processor_s, clock_s = statistics.median(run[1] for run in runs), statistics.median(run[2] for run in runs)
        size, known = f"{holes.shape[1]}x{holes.shape[0]}", f"{1 - holes.mean():.1%}"
        figures = f"{processor_s:.2f} | {clock_s:.2f} | {exact_s:.2f} | {p50:.4f} | {p99:.4f} | {most:.4f}"
        print(f"| {name} | {size} | {known} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
