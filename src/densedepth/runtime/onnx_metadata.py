"""Reading the metadata of an .onnx file without the onnx package and without building a session.

An .onnx file is one protobuf message, ModelProto. Of its fields only number 14, `metadata_props`, is wanted:
a repeated message of key (1) and value (2). All others, the graph with its weights included, are skipped by
seeking, which still proves that the file reaches as far as each field says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata properties of a model.

    Raises:
        ValueError: not a protobuf message, or cut short.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        entries = [dict(_fields(BytesIO(data), {_KEY, _VALUE})) for _, data in _fields(file, {_METADATA_PROPS})]
    return {entry.get(_KEY, b"").decode(): entry.get(_VALUE, b"").decode() for entry in entries}


def _fields(file: BinaryIO, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the wanted length-delimited fields of the message that fills `file`."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    while file.tell() < end:
        tag = _varint(file)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            _varint(file)
            continue
        if wire_type not in (_FIXED64, _BYTES, _FIXED32) or number == 0:
            raise ValueError("not a protobuf message")
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire_type) or _varint(file)
        if file.tell() + length > end:
            raise ValueError("cut short")
        if wire_type == _BYTES and number in wanted:
            yield number, file.read(length)
        else:
            file.seek(length, os.SEEK_CUR)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("cut short")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("not a protobuf message")
