"""Where errors sit: how large they are and at which depth, in a fixed number of bins whatever is added."""

from __future__ import annotations

import numpy as np

#: Bins of the signed error; the outermost on each side hold everything beyond.
ERROR_BINS = 40
DEPTH_BINS = 20
#: The histogram reaches this part of the cap: 2 m of 10 m.
_REACH = 0.2


class ErrorProfile:
    """Histogram of prediction - truth, and error against true depth, over all counted pixels.

    Args:
        cap_m: depth limit of the protocol in metres; sets both axes.

    Attributes:
        error_edges_m: borders of the error bins, from -cap/5 to cap/5.
        depth_edges_m: borders of the depth bins, from 0 to cap.
    """

    def __init__(self, cap_m: float) -> None:
        self.error_edges_m = np.linspace(-_REACH * cap_m, _REACH * cap_m, ERROR_BINS + 1)
        self.depth_edges_m = np.linspace(0, cap_m, DEPTH_BINS + 1)
        self._errors: np.ndarray = np.zeros(ERROR_BINS)
        self._depth: np.ndarray = np.zeros((3, DEPTH_BINS))

    def update(self, prediction_m: np.ndarray, truth_m: np.ndarray) -> None:
        """Add the counted pixels of one image."""
        error = prediction_m.astype(np.float64) - truth_m
        reach = self.error_edges_m[-1]
        place = ((error + reach) * (ERROR_BINS / (2 * reach))).astype(np.int64).clip(0, ERROR_BINS - 1)
        self._errors += np.bincount(place, minlength=ERROR_BINS)
        place = (truth_m * (DEPTH_BINS / self.depth_edges_m[-1])).astype(np.int64).clip(0, DEPTH_BINS - 1)
        for row, weights in enumerate((None, np.abs(error), error)):
            self._depth[row] += np.bincount(place, weights, minlength=DEPTH_BINS)

    @property
    def error_shares(self) -> np.ndarray:
        """Share of all pixels in each error bin."""
        return np.asarray(self._errors / max(self._errors.sum(), 1))

    @property
    def depth_shares(self) -> np.ndarray:
        """Share of all pixels in each depth bin."""
        return np.asarray(self._depth[0] / max(self._depth[0].sum(), 1))

    @property
    def mean_error_m(self) -> np.ndarray:
        """Mean absolute error in each depth bin, metres; NaN without pixels."""
        return self._per_pixel(1)

    @property
    def bias_m(self) -> np.ndarray:
        """Mean of prediction - truth in each depth bin, metres; NaN without pixels."""
        return self._per_pixel(2)

    def _per_pixel(self, row: int) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.asarray(self._depth[row] / self._depth[0])
