"""A direct solver for the sparse systems that in-painting makes: one unknown a pixel, coupled to its 8 neighbours.

The factors are single precision, in the order of nested dissection (George, "Nested dissection of a regular finite
element mesh", 1973), and the error that this leaves is removed by iterative refinement in double precision. Multigrid
is no match here: the matrix is far from symmetric and, behind strong edges of the photo, nearly singular.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

#: Error at which the refinement ends. Unknowns are depth divided by its maximum, so this is 0.1 mm in a room of 10 m.
TOLERANCE = 1e-5
MAX_STEPS = 8
#: Parts of the image this small are ordered row by row.
LEAF_PIXELS = 2


@lru_cache(maxsize=4)
def nested_dissection(height: int, width: int) -> np.ndarray:
    """All pixels of an image in elimination order: both halves first, then the line that separates them.

    Returns:
        int32 (height * width,), flat pixel numbers. Not to be written to: it is kept for the next image.
    """
    pixels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    order: list[np.ndarray] = []

    def add(part: np.ndarray) -> None:
        rows, columns = part.shape
        if max(rows, columns) <= LEAF_PIXELS:
            order.append(part.ravel())
        elif columns >= rows:
            middle = columns // 2
            add(part[:, :middle])
            add(part[:, middle + 1 :])
            order.append(part[:, middle])
        else:
            middle = rows // 2
            add(part[:middle])
            add(part[middle + 1 :])
            order.append(part[middle])

    add(pixels)
    flat = np.concatenate(order)
    flat.flags.writeable = False
    return flat


def solve(matrix: Any, right: np.ndarray) -> np.ndarray:
    """The solution of ``matrix @ x = right``.

    Args:
        matrix: scipy CSC, float64, an M-matrix (so that no pivoting is needed), in a good order of elimination.
        right: float64 (n,).

    Returns:
        float64 (n,), with an error of about ``TOLERANCE`` at most where x is about 1.
    """
    import scipy.sparse.linalg as sparse

    options = {"diag_pivot_thresh": 0.0, "relax": 1, "panel_size": 4, "options": {"SymmetricMode": True}}
    try:
        factors = sparse.splu(matrix.astype(np.float32), permc_spec="NATURAL", **options)
        x, size = np.zeros_like(right), 1.0
        for _ in range(MAX_STEPS):
            correction = factors.solve((right - matrix @ x).astype(np.float32))
            x += correction
            before, size = size, float(np.abs(correction).max())
            # Each step shrinks the error by the same factor, so that this one leaves about:
            if size * size <= TOLERANCE * before:
                return x
    except RuntimeError:  # singular to single precision
        pass
    solution: np.ndarray = sparse.splu(matrix, permc_spec="NATURAL", **options).solve(right)
    return solution
