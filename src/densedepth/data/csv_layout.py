"""Writing the published csv layout, which :class:`densedepth.data.readers.nyu.NyuCsv` reads.

``data/nyu2_train.csv`` and ``data/nyu2_test.csv`` hold rows ``photo,depth`` such as
``data/nyu2_train/SCENE_out/0.jpg,data/nyu2_train/SCENE_out/0.png``. Depth is 16-bit PNG in millimetres in both parts,
with the camera in a text chunk. ``data/intrinsics.csv`` has the camera of every photo. ``data/dataset.json`` says from
which settings the frames were made, so that a folder is continued by the same ones only.

Frame files may be written by many processes; the csv files come last, so a folder without them is unfinished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from densedepth.data.base import DepthDataset
from densedepth.data.parallel import in_order, same_settings
from densedepth.data.readers.nyu_rows import CAMERA_COLUMNS, CAMERAS_FILE
from densedepth.errors import DataError
from densedepth.io import replacing, save_depth
from densedepth.io.opening import one_line
from densedepth.io.write import is_written
from densedepth.types import Camera, DepthMap

Part = Literal["train", "test"]
PhotoFormat = Literal["jpg", "png"]
PARTS: tuple[Part, ...] = ("train", "test")


@dataclass(frozen=True)
class Place:
    """Where a frame goes.

    Attributes:
        part: "train" or "test".
        scene: a name that can be a folder's; all frames of a scene go to one part.
        number: of the frame in its scene.
    """

    part: Part
    scene: str
    number: int

    @property
    def stem(self) -> str:
        """Of the frame's two files, relative to the folder above ``data``."""
        return f"data/nyu2_{self.part}/{self.scene}_out/{self.number}"


def begin(root: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder, or check that it was made from the same settings.

    Args:
        root: the folder above ``data``.
        settings: whatever the frames depend on, plain JSON values.

    Raises:
        DataError: it holds frames of other settings or of unknown ones, or cannot be written.
    """
    path = root / "data" / "dataset.json"
    try:
        if path.exists():
            same_settings(path, json.loads(path.read_text(encoding="utf-8")), settings)
            return
        if any((root / "data" / f"nyu2_{part}.csv").exists() for part in PARTS):
            raise DataError(f"{root}: holds a data set already that was not made by this command; name another folder")
        with replacing(path) as beside:
            beside.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be used ({one_line(error)}); name another folder") from None


class FrameWriter:
    """Draws frames of a data set and writes their files. Can be sent to other processes.

    Args:
        root: the folder above ``data``.
        frames: what to write; all with cameras.
        places: of each index.
        photos: "jpg", or "png" for photos without loss.
        quality: of the JPEG files, 1 to 95.
    """

    def __init__(
        self, root: Path, frames: DepthDataset, places: list[Place], photos: PhotoFormat = "jpg", quality: int = 92
    ) -> None:
        self.root, self.frames, self.places = root, frames, places
        self.photos, self.quality = photos, quality

    def files(self, place: Place) -> tuple[Path, Path]:
        """(photo, depth)."""
        stem = self.root / place.stem
        depth = f"{stem.name}.png" if self.photos == "jpg" else f"{stem.name}_depth.png"
        return stem.with_name(f"{stem.name}.{self.photos}"), stem.with_name(depth)

    def __call__(self, index: int) -> bool:
        """Write frame ``index`` unless both its files are there and not empty: those are whole. Says whether it did.

        Raises:
            DataError: a depth that does not fit 16-bit millimetres, or a file cannot be written.
        """
        photo, depth = self.files(self.places[index])
        if is_written(photo) and is_written(depth):
            return False
        frame = self.frames[index]
        try:
            with replacing(photo) as beside:
                picture = Image.fromarray(frame.image)
                # Full colour resolution: edges of depth are edges of colour.
                picture.save(beside, quality=self.quality, subsampling=0)
        except OSError as error:
            raise DataError(f"{photo}: cannot be written ({one_line(error)})") from None
        camera = frame.camera
        save_depth(DepthMap(frame.depth_m, frame.valid, camera, None if camera is None else "given"), depth)
        return True

    def write_all(self, workers: int = 1) -> Iterator[bool]:
        """All frames; yields for each, in order, whether it was written or was there. Then call `write_tables`."""
        return in_order(self, range(len(self.places)), workers)

    def write_tables(self) -> dict[Part, int]:
        """Write the csv files, in the order of the indices; one without rows is left out.

        Returns:
            Frames of each part.

        Raises:
            DataError: a depth file says no camera, or a file cannot be written.
        """
        rows: dict[Part, list[str]] = {part: [] for part in PARTS}
        cameras = [",".join(CAMERA_COLUMNS)]
        for place in self.places:
            photo, depth = self.files(place)
            name = photo.relative_to(self.root).as_posix()
            rows[place.part].append(f"{name},{depth.relative_to(self.root).as_posix()}")
            camera = _camera(depth)
            numbers = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
            cameras.append(",".join([name, *map(repr, numbers)]))
        _write_lines(self.root / "data" / CAMERAS_FILE, cameras)
        for part in PARTS:
            path = self.root / "data" / f"nyu2_{part}.csv"
            if rows[part]:
                _write_lines(path, rows[part])
            else:
                path.unlink(missing_ok=True)
        return {part: len(lines) for part, lines in rows.items()}


def spread_parts(scenes: Iterable[int], test_fraction: float) -> Iterator[Part]:
    """The part of each scene number. Test scenes are spread evenly and do not depend on how many scenes there are, so
    that a data set can be continued: scene 1 is the first of them, and a scene never changes sides.

    Raises:
        DataError: the fraction is not in [0, 1).
    """
    if not 0 <= test_fraction < 1:
        raise DataError(f"the test fraction must be in [0, 1), got {test_fraction}")
    for scene in scenes:
        # Rounding keeps 0.1 * 30 from becoming 3.0000000000000004.
        before, after = (-int(-round(number * test_fraction, 9) // 1) for number in (scene - 1, scene))
        yield "test" if scene > 0 and after > before else "train"


def _camera(depth: Path) -> Camera:
    """The camera in the text chunk that `densedepth.io.save_depth` writes, without decoding the pixels."""
    try:
        with Image.open(depth) as picture:
            return Camera.from_dict(json.loads(picture.info["densedepth.camera"]))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{depth}: says no camera ({one_line(error)}); delete it and run again") from None


def _write_lines(path: Path, lines: list[str]) -> None:
    try:
        with replacing(path) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({one_line(error)})") from None
