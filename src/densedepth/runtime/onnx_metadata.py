"""Reading the metadata of an .onnx file without the onnx package and without building a session.

An .onnx file is one protobuf message, ModelProto. For the metadata only its field number 14, `metadata_props`, is
wanted: a repeated message of key (1) and value (2). All others, the graph with its weights included, are skipped by
seeking, which still proves that the file reaches as far as each field says.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

MAX_METADATA_BYTES = 4_000_000

MAX_NESTING = 100
"""Messages in messages: as protobuf itself allows. Each level is a copy, and thousands would take for ever."""

_TENSOR, _EXTERNAL_DATA = "tensor", 13
#: Messages of onnx.proto: the numbers of their fields that lead to tensors, and what is in there.
_INSIDE = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 10: _TENSOR, 6: "graph", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {_EXTERNAL_DATA: "entry"},
}


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata properties of a model.

    Raises:
        ValueError: not a protobuf message, cut short, or with metadata beyond all measure.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        messages = _fields(file, {_METADATA_PROPS}, MAX_METADATA_BYTES)
        return dict(_entry(data) for _, data in messages)


def external_files(path: Path) -> list[str]:
    """Paths of the other files in which a model keeps its weights, as it names them.

    Raises:
        ValueError: not a protobuf message, or cut short.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # Such a path stands in an entry of that name. Without the word there is none, and no need to look closer.
            if content.find(b"location") < 0:
                return []
        found: list[str] = []
        messages = [("model", file.read(), 0)]
        while messages:
            kind, message, depth = messages.pop()
            inside = _INSIDE[kind]
            if depth > MAX_NESTING:
                raise ValueError("nested too deeply")
            for number, data in _fields(BytesIO(message), inside):
                if kind != _TENSOR:
                    messages.append((inside[number], data, depth + 1))
                elif (entry := _entry(data))[0] == "location":
                    found.append(entry[1])
    return found


def _entry(message: bytes) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    values = dict(_fields(BytesIO(message), {_KEY, _VALUE}))
    return values.get(_KEY, b"").decode(), values.get(_VALUE, b"").decode()


def _fields(file: BinaryIO, wanted: Collection[int], most: int | None = None) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the wanted length-delimited fields of the message that fills `file`, of `most` bytes."""
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
            if most is not None and length > most:
                raise ValueError(f"metadata of {length} bytes")
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
