"""Does an exported file say what the network says? It is asked at four sizes, before it is put in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from densedepth.errors import DenseDepthError
from densedepth.runtime.network import RunningNetwork

#: (images, height, width) that a file is asked at: the smallest there is, an odd one, the usual one. None of them is
#: the one it was traced with.
SHAPES = ((1, 32, 32), (3, 101, 75), (2, 224, 320), (1, 240, 320))
#: Largest relative difference to torch: float32 order of summation, and weights rounded to 11 bits.
TOLERANCE = {"float32": 1e-3, "float16": 2e-2}


def largest_difference(network: RunningNetwork, reference: RunningNetwork) -> float:
    """Largest relative difference of any output over random images at ``SHAPES``.

    Raises:
        BundleError: the network fails at one of them.
    """
    rng = np.random.default_rng(0)
    worst = 0.0
    for shape in SHAPES:
        images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        for answer, expected in zip(network.run(images), reference.run(images), strict=True):
            if answer is None or expected is None:
                worst = worst if answer is expected else float("inf")
            else:
                worst = max(worst, float(np.abs(answer / expected - 1).max()))
    return worst


def require_equal(path: Path, network: RunningNetwork, reference: RunningNetwork, *, half_weights: bool) -> float:
    """The largest difference of ``network``, the file that is to become ``path``.

    Raises:
        DenseDepthError: it is above the tolerance, or the network fails at one of the sizes.
    """
    worst, limit = largest_difference(network, reference), TOLERANCE["float16" if half_weights else "float32"]
    if not worst < limit:
        advice = "try half_weights=False (--half-weights false)" if half_weights else "use other versions of the two"
        raise DenseDepthError(
            f"{path}: in {network.device} the exported file differs from {reference.device} by {worst:.2%} (limit "
            f"{limit:.1%}); nothing was written; {advice}"
        )
    return worst
