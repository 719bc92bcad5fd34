"""A folder of rendered rooms in the csv layout, one room after the other in each process, and its credits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from densedepth.data.csv_layout import FrameWriter, Part, Place, spread_parts
from densedepth.data.parallel import in_order
from densedepth.io import replacing
from densedepth.rooms.catalogue import LICENCES, checksum, open_catalogue
from densedepth.rooms.frames import FurnishedRooms
from densedepth.rooms.roles import ROLES, keys_of

CREDITS = "CREDITS.md"


class RoomWriter:
    """Writes whole rooms, so that a room is built and loaded once for all its views. Can be sent to other processes.

    Args:
        root: the folder above ``data``.
        frames: what is rendered.
        test_fraction: of the rooms, see `csv_layout.spread_parts`.
    """

    def __init__(self, root: Path, frames: FurnishedRooms, test_fraction: float) -> None:
        views = frames.config.views_per_room
        self.count, self.views = len(frames), views
        self.rooms = -(-self.count // views)
        parts = list(spread_parts(range(self.rooms), test_fraction))
        places = [Place(parts[i // views], frames.scenes[i], i % views) for i in range(self.count)]
        self.writer = FrameWriter(root, frames, places)

    def __call__(self, room: int) -> tuple[int, int]:
        """All views of a room. Returns how many were rendered, and how many were there."""
        indices = range(room * self.views, min((room + 1) * self.views, self.count))
        written = sum(self.writer(index) for index in indices)
        return written, len(indices) - written

    def write_all(self, workers: int) -> Iterator[tuple[int, int]]:
        """All rooms, in order. Then call `write_tables`."""
        if workers > 1:
            # Mesa's software renderer would start a thread for every core in each process.
            os.environ.setdefault("LP_NUM_THREADS", "1")
        return in_order(self, range(self.rooms), workers)

    def write_tables(self) -> dict[Part, int]:
        """See `FrameWriter.write_tables`."""
        return self.writer.write_tables()


def settings_of(frames: FurnishedRooms) -> dict[str, Any]:
    """What the frames depend on: settings, and the very furniture.

    Raises:
        DataError: there is no furniture, or it is damaged: that must not become a setting.
    """
    open_catalogue(frames.assets)
    furniture = {path.name: checksum(path) for path in sorted(frames.assets.glob("*.sh3f"))}
    settings = {"made_by": "densedepth data rooms", "seed": frames.seed, "furniture": furniture}
    return settings | frames.config.to_dict()


def write_credits(root: Path, assets: Path) -> None:
    """Write ``CREDITS.md``: the makers and licences of all models that rooms are furnished with.

    Args:
        root: folder of the data set.
        assets: folder with the furniture.
    """
    pieces = open_catalogue(assets).pieces
    used = sorted({key for role in ROLES for key in keys_of(role)} & set(pieces))
    lines = [
        "# Credits",
        "",
        "These pictures were rendered from furniture models of Sweet Home 3D (https://www.sweethome3d.com). The models",
        "were scaled to their real size, thinned out, and partly given other colours and surfaces.",
        "",
        "| collection | licence |",
        "|---|---|",
    ]
    collections = dict.fromkeys(pieces[key].collection for key in used)
    lines += [f"| {name} | {' '.join(LICENCES.get(name, ('see the furniture file',)))} |" for name in collections]
    lines += ["", "| model | by | collection |", "|---|---|---|"]
    lines += [
        f"| {pieces[key].title} ({key.partition('/')[2]}) | {pieces[key].creator} | {pieces[key].collection} |"
        for key in used
    ]
    with replacing(root / CREDITS) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
