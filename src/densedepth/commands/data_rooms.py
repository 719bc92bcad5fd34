"""`densedepth data rooms`: a data set of furnished rooms, rendered."""

from __future__ import annotations

import sys
from pathlib import Path

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.arguments import picture_size
from densedepth.data.csv_layout import begin
from densedepth.errors import DataError
from densedepth.rooms import FurnishedRooms, RoomsConfig, find_assets
from densedepth.rooms.write import RoomWriter, settings_of, write_credits

FOV_DEG = [45.0, 80.0]


def rooms(
    *,
    out: Path,
    frames: int,
    seed: int = 0,
    assets: str | None = None,
    size: str = "320x240",
    fov: list[float] = FOV_DEG,
    views_per_room: int = 6,
    test_fraction: float = 0.1,
    workers: int = 2,
) -> None:
    """Render furnished rooms with exact depth and cameras, as a data set that train, evaluate and inspect take.

    The folder has the csv layout: use it with `--dataset nyu --root OUT`. A run that was interrupted goes on where it
    was; more frames of the same settings are added to those that are there. The furniture is that of Sweet Home 3D
    (CC BY and CC0); its makers are named in OUT/CREDITS.md, which has to go along when the pictures are passed on.

    Args:
        out: folder of the data set
        frames: how many frames, train and test together
        seed: draws everything; the same seed, settings and furniture give the same frames
        assets: folder with .sh3f furniture files; "apt" downloads the Debian package sweethome3d-furniture into the
            user's cache without root; default is where that package installs them
        size: of the frames, width x height in pixels
        fov: horizontal field of view in degrees, from and to; one number is the same for all
        views_per_room: frames of the same room
        test_fraction: part of the rooms that goes to the test part; the second room is its first
        workers: processes that render; 1 renders in this one
    """
    if frames < 1 or seed < 0 or workers < 1:
        raise UsageError(f"--frames and --workers must be 1 or more, --seed 0 or more: {frames}, {workers}, {seed}")
    if len(fov) > 2:
        raise UsageError("--fov takes one angle or two, from and to")
    try:
        config = RoomsConfig(*picture_size(size), (fov[0], fov[-1]), views_per_room)
        if not 0 <= test_fraction < 1:
            raise DataError(f"--test-fraction must be in [0, 1), got {test_fraction}")
    except DataError as error:
        raise UsageError(str(error)) from None
    folder = find_assets(assets)
    source = FurnishedRooms(frames, seed, config, folder)
    begin(out, {**settings_of(source), "test_fraction": test_fraction})
    write_credits(out, folder)
    writer = RoomWriter(out, source, test_fraction)
    made = 0
    with tqdm(total=frames, unit="frame", file=sys.stderr, disable=None) as bar:
        for written, there in writer.write_all(workers):
            made += written
            bar.update(written + there)
    counts = writer.write_tables()
    print(
        f"{out}: {counts['train']} training and {counts['test']} test frames of {writer.rooms} rooms, {made} rendered "
        f"and {frames - made} there before; use it with --dataset nyu --root {out}"
    )
