"""The files of a data set by name, in a folder or inside a zip. Names use '/'.

Frames of a zip are read where they lie: nothing is extracted, and one file of it is in memory at a time. No handle is
kept open, so that a data set can be forked, pickled and shared between threads.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from densedepth.errors import DataError
from densedepth.io.opening import one_line

MAX_FILE_BYTES = 2_000_000_000
"""Of one file in a zip, unpacked: more than depth of 200 megapixels takes. Few bytes can promise any number."""


class Archive(Protocol):
    """Files by name."""

    def label(self, name: str) -> str:
        """What messages call this file."""

    def exists(self, name: str) -> bool: ...

    def source(self, name: str) -> Path | IO[bytes]:
        """What `densedepth.io.read_image` takes."""

    def read(self, name: str) -> bytes:
        """The whole file. Raises DataError when it is missing or damaged."""


class Folder:
    """Files below ``path``; an absolute name stands for itself."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def label(self, name: str) -> str:
        return str(self.path / name)

    def exists(self, name: str) -> bool:
        return os.path.isfile(self.path / name)

    def source(self, name: str) -> Path:
        return self.path / name

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise DataError(f"{self.label(name)}: cannot be read ({error.strerror}); check its name") from None


class Zip:
    """Files inside the zip ``path``. Its directory is read once, each file when it is asked for.

    Raises:
        DataError: no zip, cut short, or an entry whose name leads out of the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with zipfile.ZipFile(self.path) as file:
                entries = file.infolist()
        except OSError as error:
            raise DataError(f"{self.path}: cannot be opened ({error.strerror}); check the name") from None
        except Exception as error:  # zipfile meets damaged directories with errors of any kind
            raise DataError(
                f"{self.path}: no zip, or cut short ({one_line(error)}); compare its size and fetch it again"
            ) from None
        self._entries = {
            name_inside(entry.filename, str(self.path)): _Entry(
                entry.header_offset,
                entry.compress_size,
                entry.file_size,
                entry.CRC,
                # Whatever makes an entry unreadable is told when it is read: it may be none of ours.
                -1 if entry.flag_bits & _ENCRYPTED else entry.compress_type,
            )
            for entry in entries
            if not entry.filename.endswith("/")
        }

    def label(self, name: str) -> str:
        return f"{self.path}/{name}"

    def exists(self, name: str) -> bool:
        return name in self._entries

    def source(self, name: str) -> IO[bytes]:
        file = _Named(self.read(name))
        file.name = self.label(name)
        return file

    def read(self, name: str) -> bytes:
        label = self.label(name)
        if name not in self._entries:
            raise DataError(f"{label}: no such file in the zip")
        entry = self._entries[name]
        if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{label}: encrypted, or packed by another method than deflate; make the zip again without")
        if max(entry.bytes, entry.packed_bytes) > MAX_FILE_BYTES:
            raise DataError(
                f"{label}: of {entry.bytes / 1e9:.1f} GB, more than the limit of {MAX_FILE_BYTES / 1e9:g} GB"
            )
        try:
            data = _unpacked(self.path, entry)
        except (OSError, ValueError, OverflowError, MemoryError, zlib.error, struct.error) as error:
            raise DataError(f"{label}: damaged in the zip ({one_line(error)}); fetch the zip again") from None
        return data


class _Entry(NamedTuple):
    offset: int
    packed_bytes: int
    bytes: int
    crc: int
    method: int


class _Named(io.BytesIO):
    """A file in memory whose name messages can tell."""

    name = ""


_ENCRYPTED = 1
#: Of the header before each file: 30 bytes that end with the lengths of a name and of an extra field behind them.
_HEADER = struct.Struct("<4s22xHH")


def _unpacked(path: Path, entry: _Entry) -> bytes:
    # Opened for each read: some microseconds, against the trouble of a file position shared between processes.
    with path.open("rb") as file:
        file.seek(entry.offset)
        magic, name_length, extra_length = _HEADER.unpack(file.read(_HEADER.size))
        if magic != b"PK\3\4":
            raise ValueError("no entry where the directory says")
        file.seek(name_length + extra_length, os.SEEK_CUR)
        data = file.read(entry.packed_bytes)
    if entry.method == zipfile.ZIP_DEFLATED:
        # Not more than promised: a small entry can unpack to any size.
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.bytes + 1)
    if len(data) != entry.bytes or zlib.crc32(data) != entry.crc:
        raise ValueError("its checksum is wrong")
    return data


def name_inside(name: str, source: str) -> str:
    """``name`` with '/' between its parts, also when another system wrote it.

    Args:
        name: relative to a folder.
        source: what the message names.

    Raises:
        DataError: the name leads out of the folder: '..', absolute, or with a drive.
    """
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or re.match("[A-Za-z]:", name) or ".." in parts:
        raise DataError(f"{source}: the name {name!r} leads out of the folder; only names below it are read")
    return "/".join(part for part in parts if part not in ("", "."))


def open_archive(path: str | os.PathLike[str]) -> Archive:
    """The folder or the zip at ``path``.

    Raises:
        DataError: nothing there, or see `Zip`.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such folder or zip; check --data.root / --root")
    return Folder(path) if path.is_dir() else Zip(path)
