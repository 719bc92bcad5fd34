"""Furnished rooms beside the NYU training frames: depth, photos, and how many objects a view shows.

densedepth data rooms --out rooms --frames 600 --seed 0
python benchmarks/rooms_statistics.py rooms ../shared/nyu
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from densedepth.data import NyuCsv
from densedepth.data.readers.nyu import INSIDE_BORDER
from densedepth.rooms import FurnishedRooms, RoomsConfig, find_assets

QUANTILES = (1, 5, 25, 50, 75, 95, 99)
OBJECT_SHARE = 0.001
"""Part of the pixels that an object must cover to be counted."""


def describe(name: str, data: NyuCsv, inside: tuple[slice, slice], frames: int) -> None:
    depths, photos = [], []
    for index in np.linspace(0, len(data) - 1, min(frames, len(data))).astype(int):
        frame = data[int(index)]
        depths.append(frame.depth_m[inside][::4, ::4])
        small = Image.fromarray(frame.image[inside]).resize((296, 220), Image.Resampling.BOX)
        photo = np.asarray(small, np.float64)
        grey = photo.mean(axis=2)
        colour = (photo.max(axis=2) - photo.min(axis=2)).mean()
        photos.append((grey.mean(), grey.std(), np.abs(np.diff(grey, axis=1)).mean(), colour))
    pooled = np.percentile(np.concatenate([depth.ravel() for depth in depths]), QUANTILES)
    middles = np.percentile([np.median(depth) for depth in depths], (5, 50, 95))
    print(f"{name}: {len(depths)} frames")
    print("  depth, pooled percentiles", dict(zip(QUANTILES, pooled.round(2).tolist(), strict=True)))
    print("  median depth of a frame, 5 / 50 / 95 %:", middles.round(2))
    print("  deviation of depth within a frame, mean:", np.mean([depth.std() for depth in depths]).round(2))
    print("  photo brightness, contrast, gradient, colour (medians):", np.median(photos, axis=0).round(1))


def objects_in_view(rooms: int, seed: int) -> None:
    frames = FurnishedRooms(rooms, seed, RoomsConfig(views_per_room=1), find_assets(None))
    counts, holes = [], 0
    for index in range(rooms):
        _, rendered = frames.render(index)
        numbers, pixels = np.unique(rendered.objects, return_counts=True)
        counts.append(int(((numbers > 0) & (pixels >= OBJECT_SHARE * rendered.objects.size)).sum()))
        holes += bool((rendered.depth_m <= 0).any())
    print(
        f"objects in view, one view of each of {rooms} rooms: mean {np.mean(counts):.1f}, "
        f"10 / 50 / 90 %: {np.percentile(counts, (10, 50, 90))}; views with a pixel without depth: {holes}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", type=Path)
    parser.add_argument("nyu", type=Path)
    parser.add_argument("--frames", type=int, default=795)
    parser.add_argument("--count-objects", type=int, default=200, metavar="ROOMS")
    arguments = parser.parse_args()
    describe("rooms", NyuCsv(arguments.rooms, "train"), (slice(None), slice(None)), arguments.frames)
    describe("NYU, inside the white border", NyuCsv(arguments.nyu, "train"), INSIDE_BORDER, arguments.frames)
    objects_in_view(arguments.count_objects, seed=1)


if __name__ == "__main__":
    main()
