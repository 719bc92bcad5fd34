"""Writing tar shards: any data set as WebDataset samples ``KEY.jpg``, ``KEY.depth.png``, ``KEY.json``.

Depth is 16-bit PNG, 0 where there is none. The json holds ``scene``, ``key`` (the frame's own), ``camera`` (or null)
and ``metres_per_unit``.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from densedepth.data.base import DepthDataset, Frame
from densedepth.data.parallel import in_order, same_settings
from densedepth.data.readers.shard_index import Shard, index_path, read_index, scan
from densedepth.data.readers.shards import picked
from densedepth.errors import DataError, DenseDepthError
from densedepth.io import read_image, replacing
from densedepth.io.opening import one_line

#: Metres per unit, finest first: 16 bits reach to 65, 256, 655 and 6553 m.
UNITS = (0.001, 1 / 256, 0.01, 0.1)
_LARGEST = 65535
#: Frames whose depth decides about the unit of the data set.
_PROBES = 32


class Sample(NamedTuple):
    """A frame as files.

    Attributes:
        photo: JPEG.
        depth: PNG.
        about: JSON.
        as_it_was: the photo is the original file.
        coarser: the depth goes beyond the data set's unit, so it has a coarser one.
    """

    photo: bytes
    depth: bytes
    about: bytes
    as_it_was: bool
    coarser: bool


@dataclass(frozen=True)
class SampleMaker:
    """Makes samples of a data set. Can be sent to other processes.

    Attributes:
        dataset: where frames come from. Where it has ``pairs``, the paths of photo and depth of each frame (and
            ``archive`` if they lie in one), a JPEG whose pixels are the frame's is taken over byte by byte.
        metres_per_unit: of the depth, unless a frame reaches farther.
        max_side: longer photos are made smaller; None keeps their size.
        jpeg_quality: of photos that have to be encoded.
    """

    dataset: DepthDataset
    metres_per_unit: float
    max_side: int | None
    jpeg_quality: int

    def __call__(self, index: int) -> Sample:
        """The sample of one frame."""
        frame = self.dataset[index]
        image, depth_m, camera = frame.image, np.where(frame.valid, frame.depth_m, np.float32(0)), frame.camera
        longest = max(depth_m.shape)
        if self.max_side is not None and longest > self.max_side:
            height, width = (max(1, round(side * self.max_side / longest)) for side in depth_m.shape)
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
            depth_m = picked(depth_m, height, width)
            camera = None if camera is None else camera.resized(width, height)
        photo = self._original(index, image)
        unit = self._unit(frame, depth_m)
        about = {
            "scene": frame.scene,
            "key": frame.key,
            "camera": None if camera is None else camera.to_dict(),
            "metres_per_unit": unit,
        }
        encoded = photo or _encoded(Image.fromarray(image), "JPEG", quality=self.jpeg_quality, subsampling=0)
        units = np.rint(depth_m.astype(np.float64) / unit)
        # What is nearer than half a unit must not become a hole.
        units = np.where(depth_m > 0, np.maximum(units, 1), 0).astype(np.uint16)
        depth = _encoded(Image.fromarray(units), "PNG", compress_level=3)
        return Sample(encoded, depth, json.dumps(about).encode(), photo is not None, unit != self.metres_per_unit)

    def _unit(self, frame: Frame, depth_m: np.ndarray) -> float:
        farthest_m = float(depth_m.max())
        for unit in (self.metres_per_unit, *(unit for unit in UNITS if unit > self.metres_per_unit)):
            if round(farthest_m / unit) <= _LARGEST:
                return unit
        raise DataError(f"{frame.key}: a depth of {farthest_m:.0f} m is beyond {UNITS[-1] * _LARGEST:.0f} m")

    def _original(self, index: int, image: np.ndarray) -> bytes | None:
        """The photo's file, if it is a JPEG that shows just this picture."""
        pair = getattr(self.dataset, "pairs", {index: None})[index]
        if not isinstance(pair, tuple):
            return None
        name, archive = pair[0], getattr(self.dataset, "archive", None)
        try:
            data: bytes = Path(name).read_bytes() if archive is None else archive.read(name)
            whole = data.startswith(b"\xff\xd8\xff") and np.array_equal(read_image(data), image)
        except (DenseDepthError, OSError):
            return None
        return data if whole else None


def choose_unit(dataset: DepthDataset) -> float:
    """Metres per unit for a whole data set, by some of its frames: millimetres unless they reach beyond 65.5 m."""
    indices = np.unique(np.linspace(0, len(dataset) - 1, min(_PROBES, len(dataset))).astype(int))
    farthest_m = max(float(np.max(dataset[int(i)].depth_m, initial=0)) for i in indices)
    return next((unit for unit in UNITS if farthest_m <= unit * _LARGEST), UNITS[-1])


class ShardWriter:
    """Writes the shards of one split and their index. A shard appears when it is whole; a run that was interrupted goes
    on after the last one.

    Args:
        folder: where ``SPLIT-000000.tar`` and so on go.
        split: name of the part.
        settings: whatever the samples depend on, plain JSON values; a folder is continued by the same ones only.
        shard_bytes: a shard ends before it gets larger.

    Attributes:
        done: frames in shards that are there already.
        complete: all was there already.

    Raises:
        DataError: the folder holds shards of other settings or of others, or they do not follow each other.
    """

    def __init__(self, folder: Path, split: str, settings: dict[str, Any], shard_bytes: int) -> None:
        self.folder, self.split, self.shard_bytes = folder, split, shard_bytes
        self.index = index_path(folder, split)
        self.shards: list[Shard] = []
        self.complete = False
        there = sorted(folder.glob(f"{split}-*.tar"))
        if self.index.exists():
            values = read_index(self.index)
            self.settings = values["settings"]
            same_settings(self.index, {**self.settings, "unit": None}, {**settings, "unit": None})
            self.complete = values["complete"] is True
        elif there:
            raise DataError(f"{there[0]}: lies there already, without {self.index.name}; name another folder")
        else:
            self.settings = settings
        for path in [] if self.complete else there:
            self._take_over(path)
        self.done = sum(len(shard.keys) for shard in self.shards)

    def _take_over(self, path: Path) -> None:
        shard = scan(path)
        first = sum(len(shard.keys) for shard in self.shards)
        if path != self._path(len(self.shards)) or shard.keys != [_key(first + i) for i in range(len(shard.keys))]:
            raise DataError(f"{path}: does not follow the shard before it; delete it and what comes after it")
        self.shards.append(shard)

    def unit(self, dataset: DepthDataset, wanted: float | None) -> float:
        """Metres per unit, the same in every run; begins the index."""
        if self.settings.get("unit") is None:
            self.settings["unit"] = choose_unit(dataset) if wanted is None else wanted
            self._write_index(complete=False)
        return float(self.settings["unit"])

    def write(self, maker: SampleMaker, workers: int = 1) -> Iterator[Sample]:
        """Write what is missing; yields every sample once its place in a shard is decided.

        Raises:
            DataError: a frame is damaged, or a shard cannot be written.
        """
        samples = in_order(maker, range(self.done, len(maker.dataset)), workers)
        number, waiting = self.done, next(samples, None)
        while waiting is not None:
            path = self._path(len(self.shards))
            try:
                with replacing(path) as beside, tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
                    while waiting is not None and (tar.offset == 0 or tar.offset + _size(waiting) <= self.shard_bytes):
                        _add(tar, _key(number), waiting)
                        yield waiting
                        number, waiting = number + 1, next(samples, None)
            except OSError as error:
                raise DataError(f"{path}: cannot be written ({one_line(error)})") from None
            self.shards.append(scan(path))
        self._write_index(complete=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.split}-{number:06d}.tar"

    def _write_index(self, *, complete: bool) -> None:
        shards = [shard.to_dict() for shard in self.shards] if complete else []
        try:
            with replacing(self.index) as beside:
                values = {"settings": self.settings, "complete": complete, "shards": shards}
                beside.write_text(json.dumps(values), encoding="utf-8")
        except OSError as error:
            raise DataError(f"{self.index}: cannot be written ({one_line(error)})") from None


def _key(number: int) -> str:
    return f"{number:08d}"


def _size(sample: Sample) -> int:
    """Of its members in a tar, headers included."""
    return sum(512 + -(-len(data) // 512) * 512 for data in sample[:3])


def _add(tar: tarfile.TarFile, key: str, sample: Sample) -> None:
    for suffix, data in zip(("jpg", "depth.png", "json"), sample[:3], strict=True):
        # No time and no owner: the same frames make the same shard.
        member = tarfile.TarInfo(f"{key}.{suffix}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))


def _encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
