"""Loader speed: this package beside the plain way (PIL and torch's DataLoader), on the same files, in one run.

    python benchmarks/loader.py --root ../shared/nyu                   # the comparison, 240x320, mirror only
    python benchmarks/loader.py --root ../shared/nyu --only stages     # CPU time of each stage
    python benchmarks/loader.py --root ../shared/nyu --only quality    # reduced JPEG decoding against the full photo
    python benchmarks/loader.py --root ../shared/nyu --only augment    # draws/s with the augmentation of the bundle
    python benchmarks/loader.py --root ../shared/nyu --only memory     # 10,000 draws

The root holds NYU in the csv layout. Files come from the page cache: each is read once before the clock starts. Wall
time depends on what else the machine does; CPU time, of the main process and all workers, much less.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from densedepth.data import AugmentConfig, DepthDataset, InMemory, Subset, open_dataset
from densedepth.io import read_image
from densedepth.training.config import DataConfig
from densedepth.training.pairs import TrainingPairs

HEIGHT, WIDTH = 240, 320
BATCH = 8
#: As in configs/nyu_bundle.yaml.
BUNDLE = AugmentConfig(0.5, 0.05, zoom_probability=0.4, max_zoom=1.4, rotation_deg=4.0, colour=0.2, blur_noise=0.1)


class Plain(Dataset[tuple[Tensor, Tensor]]):
    """What one writes first: the photo resized by PIL, depth by nearest neighbour, a flip, float tensors."""

    def __init__(self, files: list[tuple[Path, Path]], resampling: Image.Resampling) -> None:
        self.files = files
        self.resampling = resampling

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo_path, depth_path = self.files[index]
        photo = Image.open(photo_path).convert("RGB").resize((WIDTH, HEIGHT), self.resampling)
        depth = Image.open(depth_path).resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.NEAREST)
        image = torch.from_numpy(np.array(photo)).permute(2, 0, 1).float() / 255
        depth_m = torch.from_numpy(np.array(depth, dtype=np.float32))[None] / 1000
        if random.random() < 0.5:
            image, depth_m = image.flip(-1), depth_m.flip(-1)
        return image, depth_m


class Keys:
    """Order of the draws: every frame once, in epoch 0."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return self.frames

    def __iter__(self) -> Iterable[tuple[int, int]]:
        return ((0, index) for index in range(self.frames))


def plain(files: list[tuple[Path, Path]], resampling: Image.Resampling, workers: int) -> None:
    for image, depth_m in DataLoader(Plain(files, resampling), batch_size=BATCH, num_workers=workers):
        assert image.shape[1:] == (3, HEIGHT, WIDTH)
        assert depth_m.dtype == torch.float32


def ours(frames: DepthDataset, workers: int) -> None:
    """The network's own first step, bytes to 0..1, is counted too: the plain way does it in its workers."""
    config = DataConfig("", height=HEIGHT, width=WIDTH, augment=AugmentConfig(channel_swap=0))
    pairs = TrainingPairs(frames, config, seed=0, focal_px=None)
    for batch in DataLoader(pairs, batch_size=BATCH, sampler=Keys(len(frames)), num_workers=workers):
        image = batch["image"].float().div_(255)
        assert image.shape[1:] == (3, HEIGHT, WIDTH)


def cpu_s() -> float:
    """Of this process and of the workers that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def compare(frames: DepthDataset, files: list[tuple[Path, Path]], workers: int, rounds: int) -> None:
    kept = InMemory(frames)
    for index in range(len(kept)):
        kept.frame(index, (HEIGHT, WIDTH))
    ways: dict[str, Callable[[], None]] = {
        "plain, bilinear": lambda: plain(files, Image.Resampling.BILINEAR, workers),
        "plain, bicubic": lambda: plain(files, Image.Resampling.BICUBIC, workers),
        "densedepth": lambda: ours(frames, workers),
        "densedepth, in_memory, after the first epoch": lambda: ours(kept, workers),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in ways if number % 2 else reversed(ways):
            wall, cpu = time.perf_counter(), cpu_s()
            ways[name]()
            if number:  # the first round warms up
                taken[name].append((time.perf_counter() - wall, cpu_s() - cpu))
    print(f"{len(files)} frames of 640x480 to {HEIGHT}x{WIDTH}, {workers} workers, {rounds} alternating rounds")
    print("Pillow's default for photos is bicubic; ratios are of the same round: median (least to most)\n")
    print("| way | frames/s | CPU ms/frame | times as long: wall | CPU |\n|---|---|---|---|---|")
    for name, times in taken.items():
        wall_s, used_s = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = [
            sorted(mine[kind] / its[kind] for mine, its in zip(times, taken["densedepth"], strict=True))
            for kind in (0, 1)
        ]
        shown = [f"{statistics.median(r):.2f} ({r[0]:.2f} to {r[-1]:.2f})" for r in ratios]
        print(f"| {name} | {len(files) / wall_s:.0f} | {1e3 * used_s / len(files):.2f} | {' | '.join(shown)} |")


def stages(files: list[tuple[Path, Path]], rounds: int) -> None:
    photos, depths = zip(*files[:50], strict=True)
    full = [Image.open(path).convert("RGB") for path in photos]
    small = [np.array(photo.resize((WIDTH, HEIGHT))) for photo in full]
    floats = [torch.rand(3, HEIGHT, WIDTH) for _ in range(BATCH)]
    views = [torch.from_numpy(image).permute(2, 0, 1) for image in small[:BATCH]]
    steps: dict[str, tuple[Callable[..., object], Iterable[object], int]] = {
        "JPEG, whole": (lambda path: Image.open(path).load(), photos, 1),
        "JPEG, at 1/2 (draft)": (lambda path: read_image(path, (HEIGHT, WIDTH)), photos, 1),
        "PNG 16 bit": (lambda path: Image.open(path).load(), depths, 1),
        "resize, bilinear": (lambda photo: photo.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), full, 1),
        "resize, bicubic": (lambda photo: photo.resize((WIDTH, HEIGHT)), full, 1),
        "photo to float": (lambda image: torch.from_numpy(image).permute(2, 0, 1).float() / 255, small, 1),
        "collate, float": (lambda _: torch.stack(floats), range(20), BATCH),
        "collate, bytes": (lambda _: torch.stack(views), range(20), BATCH),
    }
    print("| stage | CPU ms/frame |\n|---|---|")
    for name, (step, inputs, frames) in steps.items():
        print(f"| {name} | {1e3 * cpu_of(step, list(inputs), rounds) / frames:.3f} |")


def cpu_of(step: Callable[..., object], inputs: list[object], rounds: int) -> float:
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
    parser.add_argument("--only", choices=["compare", "stages", "quality", "augment", "memory"], default="compare")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = open_dataset("nyu", options.root, "train")
    frames = Subset(dataset, range(min(options.frames, len(dataset))))
    rows = (options.root / "data" / "nyu2_train.csv").read_text().split()[: len(frames)]
    files = [(options.root / photo, options.root / depth) for photo, depth in (row.split(",") for row in rows)]
    for path in (path for pair in files for path in pair):
        path.read_bytes()
    match options.only:
        case "compare":
            compare(frames, files, options.workers, options.rounds)
        case "stages":
            stages(files, options.rounds)
        case "quality":
            quality(files)
        case "augment":
            augmented(frames, options.rounds)
        case "memory":
            memory(frames)


if __name__ == "__main__":
    main()
