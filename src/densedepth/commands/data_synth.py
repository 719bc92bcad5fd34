"""`densedepth data synth`: a data set of synthetic rooms."""

from __future__ import annotations

import sys
from pathlib import Path

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.arguments import picture_size
from densedepth.data.csv_layout import FrameWriter, PhotoFormat, Place, begin, spread_parts
from densedepth.data.synth import SynthConfig, SyntheticRooms
from densedepth.errors import DataError

FOV_DEG = [60.0]


def synth(
    *,
    out: Path,
    frames: int,
    seed: int = 0,
    size: str = "320x240",
    fov: list[float] = FOV_DEG,
    frames_per_scene: int = 4,
    test_fraction: float = 0.1,
    photos: PhotoFormat = "jpg",
    workers: int = 2,
) -> None:
    """Draw furnished rooms with exact depth and cameras, as a data set that train, evaluate and inspect take.

    The folder has the csv layout: use it with `--dataset nyu --root OUT`. A run that was interrupted goes on where it
    was; more frames of the same settings are added to those that are there.

    Args:
        out: folder of the data set
        frames: how many frames, train and test together
        seed: draws everything; the same seed and settings give the same frames
        size: of the frames, width x height in pixels
        fov: horizontal field of view in degrees; two numbers draw one between them for each scene
        frames_per_scene: views of the same room
        test_fraction: part of the scenes that goes to the test part; the second room is its first
        photos: jpg, or png for photos without loss
        workers: processes that draw; 1 draws in this one
    """
    if frames < 1 or seed < 0 or workers < 1:
        raise UsageError(f"--frames and --workers must be 1 or more, --seed 0 or more: {frames}, {workers}, {seed}")
    if len(fov) > 2:
        raise UsageError("--fov takes one angle or two, from and to")
    try:
        config = SynthConfig(*picture_size(size), (fov[0], fov[-1]), frames_per_scene)
        numbers = range(-(-frames // frames_per_scene))
        parts = list(spread_parts(numbers, test_fraction))
    except DataError as error:
        raise UsageError(str(error)) from None
    settings = {"made_by": "densedepth data synth", "seed": seed, **config.to_dict()}
    begin(out, {**settings, "test_fraction": test_fraction, "photos": photos})
    rooms = SyntheticRooms(frames, seed, config)
    scene_numbers = [index // frames_per_scene for index in range(frames)]
    places = [
        Place(parts[number], scene, index % frames_per_scene)
        for index, (number, scene) in enumerate(zip(scene_numbers, rooms.scenes, strict=True))
    ]
    writer = FrameWriter(out, rooms, places, photos)
    drawn = writer.write_all(workers)
    made = sum(tqdm(drawn, total=frames, unit="frame", file=sys.stderr, disable=None))
    counts = writer.write_tables()
    print(
        f"{out}: {counts['train']} training and {counts['test']} test frames of {len(numbers)} rooms, "
        f"{made} drawn and {frames - made} there before; use it with --dataset nyu --root {out}"
    )
