"""`densedepth data prepare`: a data set as tar shards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.arguments import NO_OPTIONS
from densedepth.data import open_dataset
from densedepth.data.shard_writer import SampleMaker, ShardWriter


def prepare(
    *,
    root: Path,
    out: Path,
    dataset: str = "nyu",
    split: str = "train",
    options: dict[str, Any] = NO_OPTIONS,
    shard_size_mb: int = 256,
    max_side: int | None = None,
    jpeg_quality: int = 95,
    metres_per_unit: float | None = None,
    workers: int = 2,
) -> None:
    """Write a data set as WebDataset tar shards, for training sets that do not fit one disk or lie on a slow one.

    Train with `--data.dataset shards --data.root OUT`. A run that was interrupted goes on after its last whole shard.
    JPEG photos are taken over as they are where their size stays and the reader shows them unchanged; all others are
    encoded.

    Args:
        root: folder of the data set
        out: folder of the shards
        dataset: layout of the data set
        split: part of it, such as train or test
        options: of the data set's reader, by name, such as --options.mask_border true
        shard_size_mb: a shard ends before it gets larger, in megabytes
        max_side: make photos and depth smaller, so that their longer side has so many pixels
        jpeg_quality: of photos that have to be encoded, 1 to 95
        metres_per_unit: of the 16-bit depth; null takes millimetres unless the data set reaches beyond 65 m
        workers: processes that read and encode; 1 works in this one
    """
    if shard_size_mb < 1 or workers < 1 or not 1 <= jpeg_quality <= 95 or (max_side is not None and max_side < 1):
        raise UsageError("--shard-size-mb, --workers and --max-side must be 1 or more, --jpeg-quality 1 to 95")
    if metres_per_unit is not None and not metres_per_unit > 0:
        raise UsageError(f"--metres-per-unit must be positive, got {metres_per_unit}")
    frames = open_dataset(dataset, root, split, **options)
    settings = {
        "made_by": "densedepth data prepare",
        "dataset": dataset,
        "split": split,
        "options": options,
        "frames": len(frames),
        "shard_size_mb": shard_size_mb,
        "max_side": max_side,
        "jpeg_quality": jpeg_quality,
        "metres_per_unit": metres_per_unit,
    }
    writer = ShardWriter(out, split, settings, shard_size_mb * 1_000_000)
    if writer.complete:
        print(f"{out}: {len(frames)} frames of {split} are there already, nothing to do")
        return
    maker = SampleMaker(frames, writer.unit(frames, metres_per_unit), max_side, jpeg_quality)
    kept = coarser = 0
    progress = tqdm(total=len(frames), initial=writer.done, unit="frame", file=sys.stderr, disable=None)
    with progress:
        for sample in writer.write(maker, workers):
            kept, coarser = kept + sample.as_it_was, coarser + sample.coarser
            progress.update()
    made = len(frames) - writer.done
    size_mb = sum(shard.bytes for shard in writer.shards) / 1e6
    print(
        f"{out}: {len(frames)} frames of {split} in {len(writer.shards)} shards, {size_mb:.1f} MB"
        + (f", {writer.done} frames there before" if writer.done else "")
        + f"; photos: {kept} taken over, {made - kept} encoded; depth in units of {maker.metres_per_unit:g} m"
        + (f", {coarser} frames coarser" if coarser else "")
        + f"; use it with --dataset shards --root {out}"
    )
