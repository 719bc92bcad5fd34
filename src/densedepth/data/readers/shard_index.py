"""What lies where in tar shards of the WebDataset layout: by an index file, or by the headers of the tars.

A sample is the members that share a name up to its first dot: ``KEY.jpg``, ``KEY.depth.png``, ``KEY.json``. Tars are
not compressed, so that a member is a range of bytes of the file.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from densedepth.data.readers.archive import name_inside
from densedepth.errors import DataError
from densedepth.io.opening import one_line

PHOTO_SUFFIXES = ("jpg", "jpeg", "png", "webp", "rgb.jpg", "rgb.png", "image.jpg", "image.png")
DEPTH_SUFFIXES = ("depth.png", "depth.npy", "depth.npz", "depth.tiff", "depth.tif")
#: Photo, depth, and what is known about them; the last may be missing.
KINDS = ("photo", "depth", "json")
_BLOCK = 512
#: Offset and size of a member.
Place = tuple[int, int] | np.ndarray


@dataclass(frozen=True)
class Shard:
    """One tar.

    Attributes:
        path: the file.
        bytes: its size.
        keys: of the samples.
        scenes: of the samples.
        ranges: int64 (samples, 3, 2), offset and size of photo, depth and json; size -1 where there is none.
    """

    path: Path
    bytes: int
    keys: list[str]
    scenes: list[str]
    ranges: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; each scene once."""
        scenes = list(dict.fromkeys(self.scenes))
        number = {scene: i for i, scene in enumerate(scenes)}
        return {
            "name": self.path.name,
            "bytes": self.bytes,
            "frames": len(self.keys),
            "scenes": scenes,
            "scene_of": [number[scene] for scene in self.scenes],
            "keys": self.keys,
            "ranges": self.ranges.reshape(-1, 6).tolist(),
        }

    @classmethod
    def from_dict(cls, folder: Path, values: dict[str, Any]) -> Shard:
        """The inverse of `to_dict`. Raises ValueError, KeyError, TypeError or IndexError for anything else."""
        name, keys = values["name"], [str(key) for key in values["keys"]]
        if not isinstance(name, str) or Path(name).name != name:
            raise ValueError(f"the shard name {name!r} leads out of the folder")
        scenes = [str(values["scenes"][number]) for number in values["scene_of"]]
        ranges = np.array(values["ranges"], dtype=np.int64).reshape(-1, 3, 2)
        if not len(keys) == len(scenes) == len(ranges) == values["frames"]:
            raise ValueError(f"the lists of {name} differ in length")
        offsets, sizes = ranges[..., 0], ranges[..., 1]
        if (offsets < 0).any() or (sizes[:, :2] < 0).any() or (sizes > values["bytes"] - offsets).any():
            raise ValueError(f"members of {name} lie outside of it")
        return cls(folder / name, int(values["bytes"]), keys, scenes, ranges)


def read_member(path: Path, place: Place, entry: str) -> bytes:
    """A range of bytes of a shard. The file is opened for each read, so that nothing is shared between processes.

    Raises:
        DataError: the file is missing, or ends before.
    """
    offset, size = (int(number) for number in place)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise DataError(f"{path}, {entry}: cannot be read ({one_line(error)})") from None
    if len(data) != size:
        raise DataError(f"{path}, {entry}: the shard is cut short; copy it again")
    return data


def read_json(path: Path, place: Place, entry: str) -> dict[str, Any]:
    """What is known about a sample; nothing where there is no json (size -1).

    Raises:
        DataError: see `read_member`; or no JSON object.
    """
    if place[1] < 0:
        return {}
    try:
        values = json.loads(read_member(path, place, entry))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, {entry}.json: no JSON ({one_line(error)})") from None
    if not isinstance(values, dict):
        raise DataError(f"{path}, {entry}.json: must hold a JSON object")
    return values


def scan(path: Path) -> Shard:
    """Read the headers of a tar.

    Scenes come from ``scene`` in each json; without it, a shard is one scene.

    Raises:
        DataError: no tar, compressed, cut short, a name that leads out of the folder, a link, a name that stands there
            twice, or a sample without photo or depth.
    """
    size = _size(path)
    found: dict[str, dict[str, tuple[int, int]]] = {}
    end = 0
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // _BLOCK) * _BLOCK
                if member.isdir():
                    continue
                if not member.isfile():
                    raise DataError(f"{path}, {member.name}: a link or device; shards hold plain files only")
                _add(found, str(path), name_inside(member.name, str(path)), (member.offset_data, member.size))
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path}: no tar, compressed, or cut short ({one_line(error)}); unpack a .gz, else copy it again"
        ) from None
    if size < end + _BLOCK:
        raise DataError(f"{path}: cut short, the end mark of the tar is missing; copy it again")
    ranges = np.zeros((len(found), 3, 2), np.int64)
    for row, (key, members) in zip(ranges, found.items(), strict=True):
        row[:] = [_pick(path, key, members, kind) for kind in KINDS]
    keys = list(found)
    scenes = [read_json(path, row[2], key).get("scene") for key, row in zip(keys, ranges, strict=True)]
    return Shard(path, size, keys, [path.stem if scene is None else str(scene) for scene in scenes], ranges)


def _add(found: dict[str, dict[str, tuple[int, int]]], source: str, name: str, place: tuple[int, int]) -> None:
    parts = re.fullmatch(r"((?:.*/)?[^./]+)\.([^/]+)", name)
    if parts is None:
        # Hidden files and names without ending belong to no sample.
        return
    members = found.setdefault(parts[1], {})
    if parts[2].lower() in members:
        raise DataError(f"{source}, {name}: stands there twice")
    members[parts[2].lower()] = place


def _pick(path: Path, key: str, members: dict[str, tuple[int, int]], kind: str) -> tuple[int, int]:
    suffixes = {"photo": PHOTO_SUFFIXES, "depth": DEPTH_SUFFIXES, "json": ("json",)}[kind]
    for suffix in suffixes:
        if suffix in members:
            return members[suffix]
    if kind == "json":
        return 0, -1
    there = ", ".join(f".{suffix}" for suffix in members)
    raise DataError(f"{path}, {key}: no {kind} (.{', .'.join(suffixes[:2])}, ...) among its members {there}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}); check the name") from None


def index_path(folder: Path, split: str) -> Path:
    """Where the index of a split lies."""
    return folder / f"{split}-index.json"


def read_index(path: Path) -> dict[str, Any]:
    """The index file as it is, of a run that is finished or not.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or not {"settings", "complete", "shards"} <= values.keys():
            raise ValueError("settings, complete or shards is missing")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: no index of shards ({one_line(error)}); delete it to read the tars instead") from None
    return values


def indexed_shards(path: Path, others: Sequence[Path]) -> list[Shard]:
    """The shards of an index file, checked against the files that lie there.

    Args:
        path: the index.
        others: the shards that lie beside it.

    Raises:
        DataError: unfinished, damaged, or at odds with the files.
    """
    values = read_index(path)
    if values["complete"] is not True:
        raise DataError(f"{path}: these shards are not finished; run 'densedepth data prepare' again to go on")
    try:
        shards = [Shard.from_dict(path.parent, shard) for shard in values["shards"]]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise DataError(f"{path}: damaged ({one_line(error)}); delete it to read the tars instead") from None
    for shard in shards:
        if _size(shard.path) != shard.bytes:
            raise DataError(
                f"{shard.path}: has {_size(shard.path)} bytes, {path.name} says {shard.bytes}; copy both again, or "
                "delete the index to read the tars instead"
            )
    unknown = set(others) - {shard.path for shard in shards}
    if unknown:
        raise DataError(f"{min(unknown)}: does not stand in {path.name}; delete one of the two")
    return shards
