"""In-painting: depth for the pixels that have none, smooth where the photo is smooth and with edges where it has edges.

The colorization of Levin, Lischinski and Weiss ("Colorization using optimization", SIGGRAPH 2004) with the constants
of the NYU Depth v2 toolbox. Each pixel is drawn to the mean of its neighbours, weighted by how alike their grey values
are, and each known pixel to its own depth: (I - W + G) x = G d with G = alpha at known pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.data.fill_solver import nested_dissection, solve
from densedepth.errors import DataError

#: Weights of red, green and blue in the grey value (Rec. 709 luma as the authors' program has it).
GREY = (0.2125, 0.7154, 0.0721)
#: Bounds of the spread of a pixel's affinities: a share of the local variance, the least affinity of the most similar
#: neighbour, and a floor for places without any contrast.
VARIANCE_SHARE, LEAST_AFFINITY, MIN_SPREAD = 0.6, 0.01, 2e-6
#: How much of a change at a hole may still be felt where known pixels are taken as given.
FELT_AT_MARGIN = 1 / 16

_NEIGHBOURS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]


def fill_depth(
    rgb: NDArray[Any], depth_m: NDArray[Any], alpha: float = 1.0, *, exact: bool = False
) -> NDArray[np.float32]:
    """Fill the holes of a depth map.

    Known pixels are returned as they came. The unit of the depth does not matter.

    Args:
        rgb: (H, W, 3), uint8, or floats from 0 to 1.
        depth_m: (H, W), 0 where unknown.
        alpha: how strongly known pixels hold their depth against their neighbours; the published programs use 1.
        exact: solve for all pixels in double precision, as a reference. Otherwise known pixels far from any hole are
            left out of the system, which changes the result by fractions of a millimetre and takes a fraction of
            the time.

    Returns:
        float32 (H, W), positive everywhere.

    Raises:
        DataError: shapes or dtypes that do not fit, NaN, infinite or negative numbers, no known pixel, alpha not
            positive, or scipy is missing.
    """
    grey, depth = _checked_grey(rgb), _checked_depth(depth_m)
    if grey.shape != depth.shape:
        raise DataError(
            f"photo {_size(grey)} and depth {_size(depth)} differ in size: the pair does not belong together"
        )
    if not (math.isfinite(alpha) and alpha > 0):
        raise DataError(f"alpha must be a positive number, got {alpha}")
    known = depth > 0
    if not known.any():
        raise DataError("no pixel has a depth, so there is nothing to fill from; leave the frame out")
    if known.all():
        return depth.astype(np.float32)
    try:
        x = _solution(grey, depth / depth.max(), known, alpha, exact)
    except ModuleNotFoundError as error:
        raise DataError(f"filling depth needs {error.name}: pip install densedepth[train]") from None
    # A weighted mean of known depths cannot leave their range; rounding could.
    filled = np.clip(x * depth.max(), depth[known].min(), depth.max())
    return np.where(known, depth, filled).astype(np.float32)


def _solution(grey: np.ndarray, depth: np.ndarray, known: np.ndarray, alpha: float, exact: bool) -> np.ndarray:
    """x for all pixels, float64 (H, W); ``depth`` where it was left out of the system."""
    height, width = grey.shape
    affinities = neighbour_affinities(grey)
    if exact:
        import scipy.sparse.linalg as sparse

        pixels = np.arange(grey.size, dtype=np.int32)
        matrix, right = _system(affinities, depth, known, alpha, pixels)
        solution: np.ndarray = sparse.splu(matrix).solve(right)
        return solution.reshape(grey.shape)
    pixels = nested_dissection(height, width)
    pixels = pixels[_near_holes(known, alpha).ravel()[pixels]]
    matrix, right = _system(affinities, depth, known, alpha, pixels)
    x = depth.copy()
    x.ravel()[pixels] = solve(matrix, right)
    return x


def neighbour_affinities(grey: np.ndarray) -> np.ndarray:
    """How much of each neighbour a pixel takes over.

    exp(-difference² / s) of the grey values, normalised to a sum of 1, with s = 0.6 times the variance of the pixel
    and its neighbours, but large enough that the most similar neighbour gets at least 0.01 before normalisation.

    Returns:
        float64 (8, H, W), in the order of rows -1, 0, 1 and columns -1, 0, 1; 0 for neighbours outside the image.
    """
    height, width = grey.shape

    def shifted(image: np.ndarray, outside: float) -> list[np.ndarray]:
        padded = np.pad(image, 1, constant_values=outside)
        return [padded[1 + r : 1 + r + height, 1 + c : 1 + c + width] for r, c in _NEIGHBOURS]

    # About the global mean, because the variance is a difference of squares.
    centred = grey - grey.mean()
    count = 1 + sum(shifted(np.ones_like(grey), 0.0))
    mean = (centred + sum(shifted(centred, 0.0))) / count
    variance = (centred**2 + sum(shifted(centred**2, 0.0))) / count - mean**2
    affinities = np.stack(shifted(centred, np.inf))
    affinities -= centred
    affinities *= affinities
    spread = np.maximum(VARIANCE_SHARE * variance, affinities.min(axis=0) / -math.log(LEAST_AFFINITY))
    affinities /= -np.maximum(spread, MIN_SPREAD)
    np.exp(affinities, out=affinities)
    affinities /= affinities.sum(axis=0)
    return affinities


def _near_holes(known: np.ndarray, alpha: float) -> np.ndarray:
    """The pixels that have to be solved for: holes, and the known pixels that a hole is felt at.

    From one known pixel to the next a change fades to at most 1 / (1 + alpha) of itself.
    """
    from scipy.ndimage import maximum_filter

    margin = math.ceil(math.log(1 / FELT_AT_MARGIN) / math.log1p(alpha))
    size = [2 * min(margin, side) + 1 for side in known.shape]
    near: np.ndarray = maximum_filter((~known).astype(np.uint8), size=size, mode="constant")
    return near > 0


def _system(
    affinities: np.ndarray, depth: np.ndarray, known: np.ndarray, alpha: float, pixels: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Matrix (scipy CSC) and right side for the unknowns ``pixels``, in that order; others have their known depth."""
    from scipy.sparse import csc_array

    height, width = depth.shape
    number = np.full((height + 2, width + 2), -1, dtype=np.int32)
    inner = np.full(height * width, -1, dtype=np.int32)
    inner[pixels] = np.arange(len(pixels), dtype=np.int32)
    number[1:-1, 1:-1] = inner.reshape(height, width)
    hold = alpha * known
    right = (hold * depth).ravel()[pixels]

    # One column a pixel: 1 + hold on the diagonal, and above and below what each neighbour takes over from it.
    rows = np.empty((len(pixels), 9), dtype=np.int32)
    values = np.empty((len(pixels), 9))
    rows[:, 8] = np.arange(len(pixels))
    values[:, 8] = 1 + hold.ravel()[pixels]
    padded = np.pad(affinities, ((0, 0), (1, 1), (1, 1)))
    outside = np.pad(np.where(inner.reshape(height, width) < 0, depth, 0.0), 1)
    at = (pixels // width + 1) * (width + 2) + pixels % width + 1
    for k, (row, column) in enumerate(_NEIGHBOURS):
        step = row * (width + 2) + column
        # The pixel that has this one as its neighbour k lies on the other side.
        rows[:, k] = number.ravel()[at - step]
        values[:, k] = -padded[k].ravel()[at - step]
        right += padded[k].ravel()[at] * outside.ravel()[at + step]
    inside = rows >= 0
    starts = np.zeros(len(pixels) + 1, dtype=np.int32)
    np.cumsum(inside.sum(axis=1), out=starts[1:])
    matrix = csc_array((values[inside], rows[inside], starts), shape=(len(pixels), len(pixels)))
    return matrix, right


def _checked_grey(rgb: np.ndarray) -> np.ndarray:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise DataError(f"the photo must have the shape (H, W, 3), it is {rgb.shape}")
    if rgb.dtype == np.uint8:
        return np.asarray(rgb @ (np.array(GREY) / 255))
    if not np.issubdtype(rgb.dtype, np.floating):
        raise DataError(f"the photo must be uint8 or float, it is {rgb.dtype}")
    if not (np.isfinite(rgb).all() and rgb.min() >= 0 and rgb.max() <= 1):
        raise DataError("a float photo must hold finite numbers from 0 to 1; divide by 255, or pass uint8")
    return np.asarray(rgb.astype(np.float64) @ np.array(GREY))


def _checked_depth(depth_m: np.ndarray) -> np.ndarray:
    if depth_m.ndim != 2 or depth_m.size == 0 or depth_m.dtype.kind not in "fui":
        raise DataError(f"depth must be numbers of shape (H, W), it is {depth_m.dtype} {depth_m.shape}")
    depth = depth_m.astype(np.float64)
    broken = int(np.count_nonzero(~np.isfinite(depth)))
    if broken:
        raise DataError(f"{broken} pixels of the depth are NaN or infinite; where that means no depth, set them to 0")
    negative = int(np.count_nonzero(depth < 0))
    if negative:
        raise DataError(f"{negative} pixels have negative depth; where that means no depth, set them to 0")
    return depth


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
