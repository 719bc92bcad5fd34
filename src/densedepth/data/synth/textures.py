"""Procedural textures: reflectance from two coordinates along a surface, in metres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from densedepth.data.synth.shapes import Material, Vectors

#: float32 (N,).
Values = np.ndarray

_SIZE = 256
#: One table of random numbers serves all noise; it is part of the definition, so its seed never changes.
_TABLE = np.random.default_rng(20181231).random((_SIZE, _SIZE), dtype=np.float32)


def reflectance(material: Material, u_m: Values, v_m: Values) -> Vectors:
    """RGB reflectance (3, N), linear, of a material at surface coordinates (N,)."""
    u = u_m / np.float32(material.scale_m) + np.float32(material.shift)
    v = v_m / np.float32(material.scale_m) + np.float32(material.shift * 0.618)
    blend, shade = PATTERNS[material.pattern](u, v)
    first, second = np.array(material.colours, np.float32)[..., None]
    result: np.ndarray = (first + (second - first) * blend) * shade
    return result


def _noise(u: Values, v: Values) -> Values:
    """Smooth noise, 0 to 1, that changes over 1."""
    column, row = np.floor(u), np.floor(v)
    x, y = u - column, v - row
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i, j = column.astype(np.int32) % _SIZE, row.astype(np.int32) % _SIZE
    i1, j1 = (i + 1) % _SIZE, (j + 1) % _SIZE
    top = _TABLE[j, i] * (1 - x) + _TABLE[j, i1] * x
    bottom = _TABLE[j1, i] * (1 - x) + _TABLE[j1, i1] * x
    result: np.ndarray = top * (1 - y) + bottom * y
    return result


def _cells(i: Values, j: Values) -> Values:
    """One random number for each whole (i, j)."""
    result: np.ndarray = _TABLE[
        (i.astype(np.int32) * 73 + j.astype(np.int32) * 19) % _SIZE, (j.astype(np.int32) * 151) % _SIZE
    ]
    return result


def _octaves(u: Values, v: Values) -> Values:
    return 0.55 * _noise(u, v) + 0.3 * _noise(2.1 * u, 2.1 * v) + 0.15 * _noise(4.3 * u, 4.3 * v)


def _line(position: Values, width: float) -> Values:
    """1 within ``width`` of a whole number, else 0."""
    result: np.ndarray = (np.abs(position - np.rint(position)) < width / 2).astype(np.float32)
    return result


def _plain(u: Values, v: Values) -> tuple[Values, Values]:
    return 0.15 * _noise(2 * u, 2 * v), 0.97 + 0.05 * _noise(0.7 * u, 0.7 * v)


def _mottled(u: Values, v: Values) -> tuple[Values, Values]:
    return _octaves(2 * u, 2 * v), np.ones_like(u)


def _checker(u: Values, v: Values) -> tuple[Values, Values]:
    return ((np.floor(u) + np.floor(v)) % 2).astype(np.float32), 0.95 + 0.1 * _noise(3 * u, 3 * v)


def _stripes(u: Values, v: Values) -> tuple[Values, Values]:
    return (u % 1 < 0.4).astype(np.float32), 0.97 + 0.06 * _noise(3 * u, 3 * v)


def _wood(u: Values, v: Values) -> tuple[Values, Values]:
    """Grain along u."""
    rings = _noise(0.6 * u, 4 * v) * 5
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * rings)
    return 0.45 * grain + 0.55 * _noise(2 * u, 30 * v), 0.92 + 0.12 * _noise(0.4 * u, 2 * v)


def _planks(u: Values, v: Values) -> tuple[Values, Values]:
    """Boards along u, one unit wide and seven long, each with its own tone."""
    row = np.floor(v)
    along = u / 7 + _cells(row, row + 5)
    tone = _cells(np.floor(along), row)
    seam = np.maximum(_line(v, 0.05), _line(along, 0.006))
    blend = 0.35 * tone + 0.65 * _noise(0.9 * u + 40 * tone, 9 * v)
    return blend, (0.82 + 0.3 * tone) * (1 - 0.55 * seam)


def _tiles(u: Values, v: Values) -> tuple[Values, Values]:
    """Square tiles of the first colour in joints of the second."""
    joint = np.maximum(_line(u, 0.05), _line(v, 0.05))
    tone = _cells(np.floor(u), np.floor(v))
    return joint, np.where(joint > 0, 1, 0.88 + 0.16 * tone + 0.06 * _noise(5 * u, 5 * v)).astype(np.float32)


def _woven(u: Values, v: Values) -> tuple[Values, Values]:
    thread = np.sin(40 * u) * np.sin(40 * v)
    return 0.5 + 0.35 * thread + 0.3 * (_octaves(3 * u, 3 * v) - 0.5), 0.95 + 0.1 * _noise(u, v)


def _books(u: Values, v: Values) -> tuple[Values, Values]:
    """Backs of books, upright; one unit holds ten."""
    back = np.floor(10 * u + 0.4 * np.sin(17 * np.floor(4 * u)))
    gap = _line(10 * u, 0.12)
    band = _line(2 * v + _cells(back, back + 9), 0.08)
    return np.clip(_cells(back, back * 0) + 0.4 * band, 0, 1), (0.35 + 0.85 * _cells(back + 3, back * 0 + 1)) * (
        1 - 0.7 * gap
    )


def _painting(u: Values, v: Values) -> tuple[Values, Values]:
    return (_noise(2 * u, 3 * v) > 0.5) * 0.7 + 0.3 * _noise(5 * u, 5 * v), 0.5 + 0.7 * _noise(1.5 * u + 7, 1.5 * v)


#: name -> function of (u, v), in units of the pattern's size, that gives the blend of the two colours (0 to 1) and
#: a factor on the result.
PATTERNS: dict[str, Callable[[Values, Values], tuple[Values, Values]]] = {
    "plain": _plain,
    "mottled": _mottled,
    "checker": _checker,
    "stripes": _stripes,
    "wood": _wood,
    "planks": _planks,
    "tiles": _tiles,
    "woven": _woven,
    "books": _books,
    "painting": _painting,
}
