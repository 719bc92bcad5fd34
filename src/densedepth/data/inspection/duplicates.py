"""Photos that occur twice: byte for byte, or looking the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from densedepth.errors import ImageError
from densedepth.io.opening import one_line, open_picture

_SIDE = 16
#: Correlation of small pictures from which on they look the same, and grey levels by which they may differ then.
MIN_CORRELATION, MAX_LEVELS = 0.995, 4.0
#: Dark and empty pictures look the same without being it.
MIN_CONTRAST = 5.0
_BLOCK = 2048


@dataclass(frozen=True)
class Fingerprint:
    """What tells photos apart.

    Attributes:
        digest: of the file's bytes, or of the pixels.
        small: uint8 (16, 16), the photo in grey.
    """

    digest: bytes
    small: np.ndarray


def fingerprint(source: bytes | np.ndarray, label: str) -> Fingerprint:
    """Of a photo's file, or of its pixels. A JPEG file is decoded at an eighth of its size, which takes a millisecond.

    Raises:
        ImageError: the bytes are not a whole picture.
    """
    digest = hashlib.blake2b(source if isinstance(source, bytes) else source.tobytes()).digest()
    if isinstance(source, np.ndarray):
        return Fingerprint(digest, _small(Image.fromarray(source)))
    try:
        with open_picture(BytesIO(source)) as picture:
            picture.draft("L", (8 * _SIDE, 8 * _SIDE))
            return Fingerprint(digest, _small(picture))
    except ImageError as error:
        raise ImageError(f"{label}: {str(error).partition(': ')[2] or error}") from None
    except Exception as error:  # decoders meet damaged data with errors of any kind
        raise ImageError(f"{label}: damaged or cut short ({one_line(error)}); get a whole copy") from None


def _small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX))


def equal_groups(digests: Sequence[bytes | None]) -> list[list[int]]:
    """Places with the same digest, for each that occurs more than once."""
    groups: dict[bytes, list[int]] = {}
    for place, digest in enumerate(digests):
        if digest is not None:
            groups.setdefault(digest, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def alike_pairs(prints: Sequence[Fingerprint | None], groups: Sequence[object]) -> Iterator[tuple[int, int]]:
    """Pairs (first, second) of photos of different groups that look the same and are not byte for byte equal.

    Args:
        prints: of each photo, None where there is none.
        groups: only photos whose groups differ are compared.
    """
    places = [place for place, each in enumerate(prints) if each is not None and each.small.std() > MIN_CONTRAST]
    if len(places) < 2:
        return
    known = [each for place in places if (each := prints[place]) is not None]
    small = np.stack([each.small.ravel() for each in known]).astype(np.float32)
    centred = small - small.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    for start in range(0, len(centred), _BLOCK):
        rows, columns = np.nonzero(centred[start : start + _BLOCK] @ centred.T >= MIN_CORRELATION)
        for row, column in zip(rows + start, columns, strict=True):
            first, second = places[row], places[column]
            if first >= second or groups[first] == groups[second] or known[row].digest == known[column].digest:
                continue
            if np.abs(small[row] - small[column]).mean() <= MAX_LEVELS:
                yield first, second
