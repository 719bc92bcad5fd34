"""``manifest.csv``: one frame a line, for data that no naming habit describes.

Header ``image,depth`` and, where wanted, ``scene``, ``split``, ``fx``, ``fy``, ``cx``, ``cy`` in any order. Paths are
relative to the file. Quotes, CRLF and a byte order mark are fine.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from densedepth.errors import DataError

REQUIRED = ("image", "depth")
INTRINSICS = ("fx", "fy", "cx", "cy")
COLUMNS = (*REQUIRED, "scene", "split", *INTRINSICS)


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        image: the photo.
        depth: the depth file.
        scene: as written, or None where the column is missing or empty.
        split: the same.
        intrinsics: the numbers among fx, fy, cx, cy that are given, in pixels of the photo.
        source: file and line, for messages.
    """

    image: Path
    depth: Path
    scene: str | None
    split: str | None
    intrinsics: dict[str, float]
    source: str


def read_manifest(path: Path) -> list[Row]:
    """All lines of a manifest. Whether its files exist is not looked at.

    Raises:
        DataError: no such file, not text, an unknown or missing column, a line with too few or too many fields, an
            empty path, a number that is none, cx without fx, or no line at all.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such manifest; write one with the header image,depth") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None
    # Line ends inside quotes are part of the field, so the text is not split beforehand.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] | None = None
    try:
        for fields in reader:
            source = f"{path}, line {reader.line_num}"
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = _header([field.strip().lower() for field in fields], source)
                continue
            if len(fields) != len(header):
                raise DataError(f"{source}: {len(fields)} fields, but the header has {len(header)}")
            values = {name: field.strip() for name, field in zip(header, fields, strict=True)}
            rows.append(_row(values, path.parent, source))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not csv ({error}); check its quotes") from None
    if not rows:
        raise DataError(f"{path}: holds no frames; it needs the header image,depth and a line for each frame")
    return rows


def _header(names: list[str], source: str) -> list[str]:
    for name in REQUIRED:
        if name not in names:
            raise DataError(f"{source}: the header has no column '{name}'; it must be image,depth[,scene,split,fx,...]")
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            raise DataError(f"{source}: unknown or repeated column '{name}'; known are {', '.join(COLUMNS)}")
    return names


def _row(values: dict[str, str], folder: Path, source: str) -> Row:
    for name in REQUIRED:
        if not values[name]:
            raise DataError(f"{source}: '{name}' is empty")
    intrinsics = {name: _number(values[name], name, source) for name in INTRINSICS if values.get(name)}
    if intrinsics and "fx" not in intrinsics:
        raise DataError(f"{source}: {', '.join(intrinsics)} without fx; give at least fx")
    # A backslash is what Windows writes between folders.
    names = [values[name].replace("\\", "/") for name in REQUIRED]
    for name in names:
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
            raise DataError(f"{source}: {name} is absolute; paths must be relative to the folder of the manifest")
    image, depth = (folder / name for name in names)
    return Row(image, depth, values.get("scene") or None, values.get("split") or None, intrinsics, source)


def _number(text: str, name: str, source: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (name in ("fx", "fy") and value <= 0):
        raise DataError(f"{source}: {name} must be a number of pixels, got '{text}'")
    return value
