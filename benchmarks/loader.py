"""Loader speed: this package beside the plain way (PIL and torch's DataLoader), on the same files, in one run.

    python benchmarks/loader.py --root ../shared/nyu                   # the comparison, 240x320
    python benchmarks/loader.py --root ../shared/nyu --only bundle     # of it: mirror, paper or bundle
    python benchmarks/loader.py --root ../shared/nyu --only stages     # CPU time of each stage
    python benchmarks/loader.py --root ../shared/nyu --only quality    # reduced JPEG decoding against the full photo
    python benchmarks/loader.py --root ../shared/nyu --only augment    # draws/s with the augmentation of the bundle
    python benchmarks/loader.py --root ../shared/nyu --only memory     # 10,000 draws

The comparison is of training epochs: both sides shuffle, keep their workers, and augment alike, with the mirror alone,
as the paper does (mirror and channel permutation), and as the shipped bundle's recipe does. plain_loader.py is the
plain side. "torchvision on bytes" still opens files with Pillow but resizes with torchvision's kernel for bytes, which
is some three times as fast as Pillow's.

The root holds NYU in the csv layout. Files come from the page cache: each is read once before the clock starts. Wall
time depends on what else the machine does; CPU time, of the main process and all workers, much less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from plain_loader import Plain, Resizer
from serve_load import processor_s
from torch.utils.data import DataLoader

from densedepth.data import AugmentConfig, DepthDataset, InMemory, Subset, open_dataset
from densedepth.io import read_image
from densedepth.training.config import DataConfig
from densedepth.training.loader import DepthData
from densedepth.training.memory import keep_freed_memory
from densedepth.training.pairs import TrainingPairs

HEIGHT, WIDTH = 240, 320
BATCH = 8
#: As in configs/finetune.yaml; the recipe of the shipped bundle itself augments a little more.
BUNDLE = AugmentConfig(0.5, 0.05, zoom_probability=0.4, max_zoom=1.4, rotation_deg=4.0, colour=0.2, blur_noise=0.1)
COMPARISONS = {"mirror": AugmentConfig(channel_swap=0), "paper": AugmentConfig(), "bundle": BUNDLE}

#: Loads epoch number n and says how many frames that were.
Epoch = Callable[[int], int]


def plain(files: list[tuple[Path, Path]], augment: AugmentConfig, resizer: Resizer, workers: int) -> Epoch:
    pairs = Plain(files, (HEIGHT, WIDTH), augment, resizer)
    loader = DataLoader(
        pairs, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )

    def epoch(number: int) -> int:
        return sum(len(image) for image, depth_m in loader)

    return epoch


def ours(root: Path, frames: int, augment: AugmentConfig, workers: int, *, in_memory: bool = False) -> Epoch:
    """The loader as `train` runs it. The network's own first step, bytes to 0..1, is counted: the plain way does it in
    its workers."""
    config = DataConfig(
        str(root),
        height=HEIGHT,
        width=WIDTH,
        validation_fraction=0,
        canonical_focal=augment.max_zoom > 1,
        augment=augment,
        workers=workers,
        in_memory=in_memory,
    )
    data = DepthData(config, "auto", seed=0)
    data.train_frames = Subset(data.train_frames, range(frames))
    data.batch(BATCH)
    if in_memory:  # here, before the workers start, so that each has all frames from its first epoch on
        loader: Any = data.train_batches(0)
        kept = loader.dataset.frames
        for index in range(frames):
            kept.frame(index)

    def epoch(number: int) -> int:
        return sum(len(batch["image"] / 255) for batch in data.train_batches(number))

    return epoch


def cpu_s() -> float:
    """Of this process and its workers."""
    workers = (worker.pid for worker in multiprocessing.active_children())
    return time.process_time() + sum(processor_s(pid) for pid in workers if pid is not None)


def compare(root: Path, files: list[tuple[Path, Path]], augment: AugmentConfig, workers: int, rounds: int) -> None:
    ways: dict[str, Epoch] = {
        "plain: Pillow, bicubic (its default)": plain(files, augment, Image.Resampling.BICUBIC, workers),
        "plain: Pillow, bilinear": plain(files, augment, Image.Resampling.BILINEAR, workers),
        "plain: torchvision on bytes": plain(files, augment, "torchvision", workers),
        "densedepth": ours(root, len(files), augment, workers),
        "densedepth, `in_memory`, after the first epochs": ours(root, len(files), augment, workers, in_memory=True),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in ways if number % 2 else reversed(ways):
            wall, cpu = time.perf_counter(), cpu_s()
            frames = ways[name](number)
            if number:  # the first round starts the workers and warms up
                taken[name].append(((time.perf_counter() - wall) / frames, (cpu_s() - cpu) / frames))
    print("| way | frames/s | CPU ms/frame | times as long: wall | CPU |\n|---|---|---|---|---|")
    for name, times in taken.items():
        wall_s, used_s = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = [
            sorted(mine[kind] / its[kind] for mine, its in zip(times, taken["densedepth"], strict=True))
            for kind in (0, 1)
        ]
        shown = [f"{statistics.median(r):.2f} ({r[0]:.2f} to {r[-1]:.2f})" for r in ratios]
        print(f"| {name} | {1 / wall_s:.0f} | {1e3 * used_s:.2f} | {' | '.join(shown)} |", flush=True)


def stages(files: list[tuple[Path, Path]], frames: DepthDataset, rounds: int) -> None:
    keep_freed_memory()  # as the loader's workers do
    photos, depths = zip(*files[:50], strict=True)
    full = [Image.open(path).convert("RGB") for path in photos]
    small = [np.array(photo.resize((WIDTH, HEIGHT))) for photo in full]
    floats = [torch.rand(3, HEIGHT, WIDTH) for _ in range(BATCH)]
    views = [torch.from_numpy(image).permute(2, 0, 1) for image in small[:BATCH]]
    mirror = COMPARISONS["mirror"]
    plainly = Plain(files, (HEIGHT, WIDTH), mirror, Image.Resampling.BILINEAR)
    config = DataConfig("", height=HEIGHT, width=WIDTH, augment=mirror)
    pairs = TrainingPairs(frames, config, seed=0, focal_px=None)
    steps: dict[str, tuple[Callable[..., object], Iterable[object], int]] = {
        "JPEG, whole": (lambda path: Image.open(path).load(), photos, 1),
        "JPEG, at 1/2 (draft)": (lambda path: read_image(path, (HEIGHT, WIDTH)), photos, 1),
        "PNG 16 bit": (lambda path: np.asarray(Image.open(path)), depths, 1),
        "resize, bilinear": (lambda photo: photo.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), full, 1),
        "resize, bicubic": (lambda photo: photo.resize((WIDTH, HEIGHT)), full, 1),
        "photo to float": (lambda image: torch.from_numpy(image).permute(2, 0, 1).float() / 255, small, 1),
        "collate, float": (lambda _: torch.stack(floats), range(20), BATCH),
        "collate, bytes": (lambda _: torch.stack(views), range(20), BATCH),
        "a whole draw (mirror), plain, bilinear": (plainly.__getitem__, range(len(full)), 1),
        "a whole draw (mirror), densedepth": (lambda index: pairs[0, index], range(len(full)), 1),
    }
    print("| stage | CPU ms/frame |\n|---|---|")
    for name, (step, inputs, count) in steps.items():
        print(f"| {name} | {1e3 * cpu_of(step, list(inputs), rounds) / count:.3f} |")


def cpu_of(step: Callable[..., object], inputs: Sequence[object], rounds: int) -> float:
    """Seconds a call, the median of the rounds."""
    taken = []
    for _ in range(rounds + 1):
        start = time.process_time()
        for value in inputs:
            step(value)
        taken.append((time.process_time() - start) / len(inputs))
    return statistics.median(taken[1:])


def quality(files: list[tuple[Path, Path]]) -> None:
    """Mean absolute difference, in levels of 255, of ways to bring a photo to half its size."""
    filters = ("BOX", "HAMMING", "BILINEAR", "BICUBIC")
    differences: dict[str, list[float]] = {name: [] for name in ("draft", *filters[1:])}
    for path, _ in files:
        photo = Image.open(path)
        halves = {name: photo.resize((WIDTH, HEIGHT), Image.Resampling[name]) for name in filters}
        area = np.asarray(halves["BOX"], np.int16)
        for name in differences:
            half = read_image(path, (HEIGHT, WIDTH)) if name == "draft" else np.asarray(halves[name])
            differences[name].append(float(np.abs(half - area).mean()))
    print("| against the area average | mean abs difference | largest of a photo |\n|---|---|---|")
    for name, values in differences.items():
        print(f"| {name} | {statistics.mean(values):.2f} | {max(values):.2f} |")


def augmented(frames: DepthDataset, rounds: int) -> None:
    config = DataConfig("", height=224, width=320, augment=BUNDLE)
    print("| frames | draws/s of one core |\n|---|---|")
    for name, source in {"from files": frames, "in memory": InMemory(frames)}.items():
        pairs = TrainingPairs(source, config, seed=0, focal_px=300.0)
        for index in range(len(frames)):
            pairs[0, index], pairs[1, index]
        keys = [(2, index) for index in range(len(frames))]
        print(f"| {name} | {1 / cpu_of(pairs.__getitem__, keys, rounds):.0f} |")


def memory(frames: DepthDataset, draws: int = 10_000) -> None:
    pairs = TrainingPairs(frames, DataConfig("", height=HEIGHT, width=WIDTH, augment=BUNDLE), seed=0, focal_px=None)
    for draw in range(draws + 1):
        pairs[divmod(draw, len(frames))]
        if draw % (draws // 5) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            print(f"after {draw:6d} draws: {pages * resource.getpagesize() / 2**20:.1f} MiB resident", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--frames", type=int, default=795)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=[*COMPARISONS, "stages", "quality", "augment", "memory"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset("nyu", options.root, "train")
    frames = Subset(dataset, range(min(options.frames, len(dataset))))
    rows = (options.root / "data" / "nyu2_train.csv").read_text().split()[: len(frames)]
    files = [(options.root / photo, options.root / depth) for photo, depth in (row.split(",") for row in rows)]
    for path in (path for pair in files for path in pair):
        path.read_bytes()
    match options.only:
        case None | "mirror" | "paper" | "bundle":
            print(f"{len(files)} frames of 640x480 to {HEIGHT}x{WIDTH}, {options.workers} workers, {options.rounds}")
            print("alternating rounds; ratios are of the same round: median (least to most)")
            for name in COMPARISONS if options.only is None else [options.only]:
                print(f"\nAugmentation: {name}\n", flush=True)
                compare(options.root, files, COMPARISONS[name], options.workers, options.rounds)
        case "stages":
            stages(files, frames, options.rounds)
        case "quality":
            quality(files)
        case "augment":
            augmented(frames, options.rounds)
        case "memory":
            memory(frames)


if __name__ == "__main__":
    main()
