"""Data sets of Hugging Face `datasets` with a photo and a depth column: from the hub, a folder or parquet files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densedepth.data.base import Frame, checked_frame
from densedepth.data.readers.depth_files import DepthValues, read_depth_values
from densedepth.data.readers.units import checked_units, in_metres
from densedepth.errors import DataError, ImageError
from densedepth.io import read_image
from densedepth.io.opening import one_line

#: Names that say what a column is, the clearest first.
IMAGE_NAMES = ("image", "rgb", "photo", "img", "pixel_values", "color", "colour")
DEPTH_NAMES = ("depth_m", "depth", "depth_map", "depths", "depth_image", "label", "annotation", "target")


class HubDataset:
    """One split of a Hugging Face data set as a :class:`~densedepth.data.base.DepthDataset`.

    Args:
        root: a folder made by ``save_to_disk``, a folder that `datasets` can load, such as one of parquet files, a
            parquet file, or a name on the hub.
        split: "train", "test", or another one that the data set has.
        image_column: of the photos; found by name when left out.
        depth_column: of the depth, pictures or arrays (H, W); found by name when left out.
        metres_per_unit: metres per number of the depth; whole numbers need it, floats hold metres without.
        invalid: number that means no depth, besides 0; "nan" stands for everything that is not finite.
        scene_column: frames with the same value are one scene; without it each frame is a scene of its own.

    Raises:
        DataError: nothing to load there, no such split or column, or columns that cannot be told.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        *,
        image_column: str | None = None,
        depth_column: str | None = None,
        metres_per_unit: float | None = None,
        invalid: float | Literal["nan"] = 0,
        scene_column: str | None = None,
    ) -> None:
        self.label = f"{root}, {split}"
        self.metres_per_unit, self.invalid = checked_units(metres_per_unit, invalid)
        rows = _load(root, split)
        if not len(rows):
            raise DataError(f"{self.label}: holds no rows")
        self.image_column = _column(rows, image_column, "image", IMAGE_NAMES, self.label)
        self.depth_column = _column(rows, depth_column, "depth", DEPTH_NAMES, self.label)
        if self.image_column == self.depth_column:
            raise DataError(f"{self.label}: photo and depth are both '{self.image_column}'; set depth_column")
        if scene_column is None:
            self.scenes = [str(index) for index in range(len(rows))]
        else:
            _column(rows, scene_column, "scene", (), self.label)
            self.scenes = [str(scene) for scene in rows[scene_column]]
        self._rows = _undecoded(rows.select_columns([self.image_column, self.depth_column]))

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, label = self._rows[index], f"{self.label}, row {index}"
        image = _image(row[self.image_column], f"{label}, {self.image_column}")
        depth_label = f"{label}, {self.depth_column}"
        stored = _depth(row[self.depth_column], depth_label)
        depth_m = in_metres(stored, self.metres_per_unit, self.invalid, depth_label)
        return checked_frame(image, depth_m, camera=None, scene=self.scenes[index], key=f"{index}", source=label)


def _load(root: str | os.PathLike[str], split: str) -> Any:
    """The split as a `datasets.Dataset`."""
    import datasets

    path = Path(root)
    if not path.exists() and not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", str(root)):
        raise DataError(f"{root}: no such folder, and no name on the hub; check --data.root / --root")
    try:
        with _quiet():
            if any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
                found: Any = datasets.load_from_disk(str(path))
            elif path.is_file():
                found = datasets.load_dataset("parquet", data_files=str(path))
            else:
                found = datasets.load_dataset(str(root))
    except Exception as error:  # anything can come from the hub, its cache, or a damaged file
        what = "cannot be loaded" if path.exists() else "no such folder, and not to be had from the hub"
        raise DataError(f"{root}: {what} ({one_line(error)[:300]})") from None
    if isinstance(found, datasets.Dataset):
        # One split that was saved alone; it may not know which it is.
        known = str(found.split) if found.split is not None else split
        found = {known: found}
    if split not in found:
        raise DataError(f"{root}: has no split '{split}'; it has: {', '.join(map(str, found))}")
    return found[split]


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the hub's remarks: whatever matters comes as an error."""
    import datasets

    logger = logging.getLogger("datasets")
    level, bars = logger.level, datasets.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            datasets.enable_progress_bars()


def _undecoded(rows: Any) -> Any:
    """Pictures as the bytes of their files, for our own readers; arrays as numpy."""
    import datasets

    arrays = []
    for name, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(name, datasets.Image(decode=False))
        else:
            arrays.append(name)
    return rows.with_format("numpy", columns=arrays, output_all_columns=True) if arrays else rows


def _column(rows: Any, given: str | None, what: str, names: tuple[str, ...], label: str) -> str:
    """The column that was given, or the first of the names that there is."""
    there: dict[str, str] = {name.lower(): name for name in rows.column_names}
    if given is not None and given in rows.column_names:
        return given
    found = next((there[name] for name in names if name in there), None)
    if given is None and found is not None:
        return found
    columns = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in rows.features.items())
    problem = "no column is obviously the " + what if given is None else f"there is no column '{given}'"
    raise DataError(f"{label}: {problem}; set {what}_column to one of: {columns}")


def _image(value: Any, label: str) -> np.ndarray:
    if not isinstance(value, dict):
        image = np.asarray(value)
        if image.dtype.kind not in "ui" or image.min(initial=0) < 0 or image.max(initial=0) > 255:
            raise DataError(f"{label}: a photo has whole numbers from 0 to 255, this is {image.dtype} {image.shape}")
        value = image.astype(np.uint8)
    try:
        return read_image(value if isinstance(value, np.ndarray) else _file(value, label))
    except ImageError as error:
        raise DataError(f"{label}: {error}") from None


def _depth(value: Any, label: str) -> DepthValues:
    if isinstance(value, dict):
        try:
            return read_depth_values(_file(value, label))
        except DataError as error:
            raise DataError(f"{label}: {error}") from None
    values = np.asarray(value)
    values = values.squeeze() if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]) else values
    if values.ndim != 2 or values.dtype.kind not in "uif":
        raise DataError(f"{label}: depth must be numbers of shape (H, W), this is {values.dtype} {values.shape}")
    return DepthValues(values, None, None)


def _file(value: dict[str, Any], label: str) -> bytes | str:
    """Bytes of a picture, or the path of its file."""
    data, path = value.get("bytes"), value.get("path")
    if data is not None:
        return bytes(data)
    if path is None:
        raise DataError(f"{label}: is empty")
    return str(path)
