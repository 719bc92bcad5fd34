"""Arrays of numbers from a MATLAB 5 file: just enough for lists of frames.

Written out because scipy's reader, made for files one trusts, ends the whole process on some damaged ones. The layout
is that of MathWorks' "MAT-File Format", level 5: a header of 128 bytes that ends with the byte order, then elements of
a type (4 bytes), a length (4) and content, padded to 8 bytes; up to 4 bytes of content may stand in the tag itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import prod

import numpy as np

MAX_BYTES = 10_000_000
"""Of a file, and of what is packed in it: a list of a million frames."""

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: Classes of arrays that hold plain numbers: double, single, and integers of 8 to 64 bits.
_NUMERIC_CLASSES = range(6, 16)


def read_numbers(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of real numbers at the top of the file, flat, by their names; others are passed over.

    Args:
        data: the whole file.

    Raises:
        ValueError: no MATLAB 5 file, cut short, or longer than any list of frames.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if order is None or len(data) > MAX_BYTES:
        raise ValueError("no MATLAB 5 file" if order is None else f"{len(data)} bytes are too many")
    found: dict[str, np.ndarray] = {}
    for kind, content in _elements(data[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_unpacked(content), order), (0, b""))
        array = _array(content, order) if kind == _MATRIX else None
        if array is not None:
            found[array[0]] = array[1]
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(type, content) of each element."""
    at = 0
    while at < len(data):
        first, length = (int(number) for number in np.frombuffer(data[at : at + 8].ljust(8, b"\0"), f"{order}u4"))
        if first >> 16:
            kind, length, start, padded = first & 0xFFFF, first >> 16, at + 4, 4
        else:
            # What is compressed is not padded.
            kind, start, padded = first, at + 8, length if first == _COMPRESSED else -(-length // 8) * 8
        if start + length > len(data) or length > padded:
            raise ValueError("cut short")
        yield kind, data[start : start + length]
        at = start + padded


def _unpacked(content: bytes) -> bytes:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(content, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacker.eof:
        raise ValueError("what is packed in it is cut short, or too much")
    return data


def _array(content: bytes, order: str) -> tuple[str, np.ndarray] | None:
    """Name and numbers of an array; None for cells, texts, complex numbers and the like."""
    parts = list(_elements(content, order))
    if len(parts) < 4:
        return None
    (_, flags), (_, shape), (_, name), (kind, numbers) = parts[:4]
    if len(flags) != 8 or len(parts) > 4 or kind not in _NUMBERS:
        return None
    if int(np.frombuffer(flags, f"{order}u4")[0]) & 0xFF not in _NUMERIC_CLASSES:
        return None
    values = np.frombuffer(numbers, order + _NUMBERS[kind])
    if prod(int(side) for side in np.frombuffer(shape, f"{order}i4")) != len(values):
        raise ValueError("an array whose size is not what it says")
    return name.decode("ascii", "replace"), values
