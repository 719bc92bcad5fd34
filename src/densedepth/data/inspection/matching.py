"""Which photo a depth map belongs to, when it is not its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from densedepth.data.inspection.alignment import Edges, averaged

_PHOTO_LEVELS, _DEPTH_LEVELS = 60.0, 1500.0
_BLOCK = 256
#: Another photo must score this much, and so many times what its own scores.
MATCH_SCORE, MATCH_RATIO = 0.18, 2.5


@dataclass(frozen=True)
class Traces:
    """Edges of a frame at half of the working size.

    Attributes:
        photo: uint8 (h, w).
        depth: (jumps uint8, counted bool) of a depth map that looks for its photo, else None.
    """

    photo: np.ndarray
    depth: tuple[np.ndarray, np.ndarray] | None


def traces_of(edges: Edges, unmatched: bool) -> Traces:
    """What to keep of a frame: 20 kB, and 60 kB where its depth does not match its photo well."""
    photo = _small(edges.photo, _PHOTO_LEVELS)
    if not unmatched:
        return Traces(photo, None)
    counted = averaged(edges.counted.astype(np.float32), 2) == 1
    return Traces(photo, (_small(edges.depth, _DEPTH_LEVELS) * counted, counted))


def _small(edges: np.ndarray, levels: float) -> np.ndarray:
    return np.rint(averaged(edges, 2) * levels).clip(0, 255).astype(np.uint8)


def find_photo(own: int, traces: Mapping[int, Traces]) -> tuple[int, float, float] | None:
    """The photo that fits the depth of frame ``own`` clearly better than its own does.

    Returns:
        (number of the photo, its score, score of the own photo), or None when no photo stands out.
    """
    depth = traces[own].depth
    if depth is None:
        return None
    numbers = [number for number, each in traces.items() if each.photo.shape == depth[1].shape]
    scores = np.concatenate(
        [
            _scores(np.stack([traces[number].photo for number in numbers[start : start + _BLOCK]]), *depth)
            for start in range(0, len(numbers), _BLOCK)
        ]
    )
    best, here = int(scores.argmax()), float(scores[numbers.index(own)])
    if numbers[best] == own or scores[best] < max(MATCH_SCORE, MATCH_RATIO * here):
        return None
    return numbers[best], float(scores[best]), here


def _scores(photos: np.ndarray, jumps: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Correlation coefficient over the counted pixels of the jumps with each of the photos (n, h, w)."""
    jumps = jumps[counted].astype(np.float32)
    jumps = jumps - jumps.mean()
    edges = photos[:, counted].astype(np.float32)
    edges -= edges.mean(axis=1, keepdims=True)
    spread = np.sqrt((edges * edges).sum(axis=1) * (jumps * jumps).sum())
    scores: np.ndarray = (edges @ jumps) / np.maximum(spread, 1e-9)
    return scores
