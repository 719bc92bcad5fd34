"""Is the model right about where it is wrong? RMSE without the pixels it is least sure of (sparsification curve).

After Ilg et al. 2018 (arXiv 1802.07095, section 5): pixels are left out in the order of the expected error, and, for
comparison, in the order of the true one (the oracle), which no order can beat.
"""

from __future__ import annotations

import numpy as np

#: Share of pixels that are left out.
DROPPED = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
#: The pooled curve keeps pixels in bins of 1 % of expected error, from 0.1 mm to 100 m.
_BINS = np.geomspace(1e-4, 100.0, 1401)


class Sparsification:
    """Collects both curves, in a fixed amount of memory."""

    def __init__(self) -> None:
        self._per_image: list[tuple[list[float], list[float]]] = []
        self._counts, self._squares = np.zeros((2, len(_BINS) + 1)), np.zeros((2, len(_BINS) + 1))

    def update(self, predicted_m: np.ndarray, truth_m: np.ndarray, uncertainty_m: np.ndarray) -> None:
        """Add the counted pixels of one image."""
        error = np.abs(predicted_m.astype(np.float64) - truth_m)
        orders = (uncertainty_m, error)
        self._per_image.append(tuple(_curve(error, order) for order in orders))  # type: ignore[arg-type]
        for row, order in enumerate(orders):
            place = np.searchsorted(_BINS, order)
            self._counts[row] += np.bincount(place, minlength=self._counts.shape[1])
            self._squares[row] += np.bincount(place, error**2, minlength=self._counts.shape[1])

    def summary(self) -> dict[str, dict[str, list[float]] | list[float]] | None:
        """``dropped``; under ``per_image`` and ``pooled`` the ``rmse`` at each and its ``oracle``. None if empty."""
        if not self._per_image:
            return None
        mean = np.mean(np.array(self._per_image), axis=0)
        pooled = [self._pooled(row) for row in (0, 1)]
        return {
            "dropped": list(DROPPED),
            "per_image": {"rmse": mean[0].tolist(), "oracle": mean[1].tolist()},
            "pooled": {"rmse": pooled[0], "oracle": pooled[1]},
        }

    def _pooled(self, row: int) -> list[float]:
        counts, squares = np.cumsum(self._counts[row]), np.cumsum(self._squares[row])
        kept = counts[-1] * (1 - np.array(DROPPED))
        # Within a bin no order is known: part of a bin has that part of its squared errors.
        return [float(value) for value in np.sqrt(np.interp(kept, counts, squares) / kept)]


def _curve(error: np.ndarray, order: np.ndarray) -> list[float]:
    """RMSE of the pixels with the smallest ``order``."""
    squares = np.cumsum(error[np.argsort(order, kind="stable")] ** 2)
    kept = [max(round(len(squares) * (1 - share)), 1) for share in DROPPED]
    return [float(np.sqrt(squares[count - 1] / count)) for count in kept]
