"""The two csv files of the NYU layout: pairs of photo and depth, and the camera of each photo."""

from __future__ import annotations

import csv
import io
import os
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from densedepth.data.readers.archive import Archive, Folder, name_inside
from densedepth.errors import DataError
from densedepth.io import IMAGE_SUFFIXES
from densedepth.types import Camera

CAMERAS_FILE = "intrinsics.csv"
CAMERA_COLUMNS = ["image", "fx", "fy", "cx", "cy", "width", "height"]


def read_pairs(archive: Archive, csv_name: str) -> list[tuple[str, str]]:
    """(photo, depth) of each row of a csv in the folder ``data``, as names in ``archive``.

    A first row in which neither cell has the ending of a picture is a header.

    Raises:
        DataError: the csv cannot be read or holds no rows; or, with its line: a row that is not two paths, a path
            that leads out of the folder, or a file that is missing.
    """
    label = archive.label(csv_name)
    pairs: list[tuple[str, str]] = []
    for number, (line, row) in enumerate(_rows(archive, csv_name)):
        source = f"{label}, line {line}"
        if len(row) != 2:
            raise DataError(f"{source}: expected 'photo,depth', got {len(row)} fields")
        if number == 0 and not any(PurePosixPath(cell).suffix.lower() in IMAGE_SUFFIXES for cell in row):
            continue
        photo, depth = (_name(archive, csv_name, cell, source) for cell in row)
        for name in (photo, depth):
            if not archive.exists(name):
                raise DataError(f"{source}: {archive.label(name)} is missing")
        pairs.append((photo, depth))
    if not pairs:
        raise DataError(f"{label}: holds no rows")
    return pairs


def read_cameras(archive: Archive, csv_name: str, pairs: list[tuple[str, str]]) -> list[Camera] | None:
    """The camera of each pair from the file ``intrinsics.csv`` beside the csv, or None when there is no such file.

    Raises:
        DataError: another header, a row that is no camera (with its line), or a photo without a row.
    """
    name = posixpath.join(posixpath.dirname(csv_name), CAMERAS_FILE)
    if not archive.exists(name):
        return None
    label = archive.label(name)
    rows = _rows(archive, name)
    if next(rows, (0, []))[1] != CAMERA_COLUMNS:
        raise DataError(f"{label}: the first line must be '{','.join(CAMERA_COLUMNS)}'")
    cameras: dict[str, Camera] = {}
    for line, row in rows:
        source = f"{label}, line {line}"
        if len(row) != len(CAMERA_COLUMNS):
            raise DataError(f"{source}: expected {len(CAMERA_COLUMNS)} fields, got {len(row)}")
        photo, fx, fy, cx, cy, width, height = row
        try:
            camera = Camera(float(fx), float(fy), float(cx), float(cy), int(width), int(height))
        except ValueError as error:
            raise DataError(f"{source}: no camera ({error})") from None
        cameras[_name(archive, csv_name, photo, source)] = camera
    for photo, _ in pairs:
        if photo not in cameras:
            raise DataError(f"{label}: has no row for {photo}; add it, or remove the file to use the Kinect's camera")
    return [cameras[photo] for photo, _ in pairs]


def _rows(archive: Archive, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not blank."""
    label = archive.label(name)
    try:
        text = archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{label}: cannot be read as UTF-8 text ({error})") from None
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{label}, line {line}: no csv ({error})") from None


def _name(archive: Archive, csv_name: str, cell: str, source: str) -> str:
    """The name in ``archive`` of a path in a row, which is relative to the folder above ``data``.

    In one's own folder, programs write absolute paths of this machine: they are taken as they are.
    """
    if not cell or not cell.isprintable():
        raise DataError(f"{source}: {cell!r} is no path")
    if isinstance(archive, Folder) and os.path.isabs(cell):
        return cell
    return posixpath.join(posixpath.dirname(posixpath.dirname(csv_name)), name_inside(cell, source))
