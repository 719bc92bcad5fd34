"""Damage to a file: what disks, downloads and people who mean no good do to it."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

MOST_BYTES = 1_000_000
"""Longer files are cut: size alone is no news, and time is what there is too little of."""

_NUMBERS = (
    *("0", "-1", "1", "255", "65536", "2147483647", "4294967296", "9223372036854775807", "9" * 30, "9" * 400),
    *("1e308", "1e-320", "1e999", "nan", "inf", "-inf", "0.5", "true", "null", '"x"', "[]", "{}"),
)
_TOKENS = (
    b"\x00",
    b"\n",
    b'"',
    b",",
    b"../",
    b"/etc/passwd",
    b"[" * 20_000,
    b"x" * 5_000,
    b"\xff\xfe",
    b"\xef\xbb\xbf",
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """``data`` after one to eight changes; ``others`` are files to take pieces from."""
    content = bytearray(data)
    for _ in range(min(8, 1 + int(rng.expovariate(0.6)))):
        rng.choice(_CHANGES)(content, rng, others)
        del content[MOST_BYTES:]
    return bytes(content)


def _flip(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 4, 32))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _truncate(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _remove(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    start = rng.randrange(len(content) + 1)
    del content[start : start + rng.choice((1, 2, 4, 16, 512))]


def _repeat(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.choice((1, 4, 16, 512))]
    content[start:start] = piece * rng.choice((1, 2, 50))


def _splice(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    start, source = rng.randrange(len(content) + 1), rng.randrange(len(other) + 1)
    length = rng.choice((4, 64, 512, len(other)))
    content[start : start + rng.choice((0, length))] = other[source : source + length]


def _overwrite_number(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """A length, an offset, a count: whole numbers of all widths, at the edges of what they can be."""
    bits = rng.choice((8, 16, 32, 64))
    if len(content) < bits // 8:
        return
    at = rng.randrange(len(content) - bits // 8 + 1)
    value = rng.choice((0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1, 1 << rng.randrange(bits)))
    content[at : at + bits // 8] = value.to_bytes(bits // 8, rng.choice(("little", "big")))


def _rewrite_number(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """A number that is written out in digits."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if found:
        match = rng.choice(found)
        content[match.start() : match.end()] = rng.choice(_NUMBERS).encode()


def _insert_token(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    start = rng.randrange(len(content) + 1)
    content[start:start] = rng.choice(_TOKENS)


def _shuffle_lines(content: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    lines = bytes(content).split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    action = rng.randrange(3)
    if action == 0:
        lines.insert(one, lines[other])
    elif action == 1:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        del lines[one]
    content[:] = b"\n".join(lines)


_CHANGES: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    *(_flip, _flip, _truncate, _remove, _repeat, _splice, _overwrite_number, _overwrite_number),
    *(_rewrite_number, _insert_token, _shuffle_lines),
)


def with_png_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have right checksums again: without them no damage gets past the first check."""
    content, at = bytearray(data), 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if at + 12 + length > len(content):
            break
        struct.pack_into(">I", content, at + 8 + length, zlib.crc32(content[at + 4 : at + 8 + length]))
        at += 12 + length
    return bytes(content)


def with_tar_checksums(data: bytes) -> bytes:
    """The same for the headers of a tar."""
    content = bytearray(data)
    for at in range(0, len(content) - 511, 512):
        if content[at + 257 : at + 262] == b"ustar":
            content[at + 148 : at + 156] = b" " * 8
            content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    return bytes(content)
