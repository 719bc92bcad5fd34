"""Steady depth where nothing moves, without lag where something does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

BLOCK_PX = 4
"""Pictures are compared as averages of blocks of this size, in which sensor noise is a quarter."""

STILL_LEVELS, MOVED_LEVELS = 4.0, 12.0
"""Change of a block's colour, of 255: up to the first it is noise, from the second on the picture has changed."""

STILL_LOG, MOVED_LOG = 0.15, 0.4
"""The same for log depth: 16 % is flicker, half as much again is another surface."""

CUT_SHARE = 0.5
"""When more than this share of the picture has changed, it is another picture: a cut, or a fast turn."""


class TemporalFilter:
    """A running average of depth whose weight follows the picture, pixel by pixel.

    Each frame moves the result by `gain` times the way to the new prediction. Where the picture is that of the average
    (colours within noise, depth within flicker) the gain is 1 - smoothing; where it has changed it is 1, the new
    prediction itself; between the two it is linear. The colours compared with are averaged by the same weights, so
    slow changes add up until they count. When most of the picture has changed, everything starts anew.

    For noise that is independent from frame to frame, an average with gain g divides the mean change between frames by
    sqrt(2 - g) / g: 6.7 at the default of 0.8.

    Attributes:
        cuts: how often it started anew.
    """

    def __init__(self, smoothing: float = 0.8) -> None:
        """`smoothing` is the weight of the past where nothing moves: 0 is none, 1 holds still pixels forever.

        Raises:
            ValueError: outside 0 to 1.
        """
        if not 0 <= smoothing <= 1:
            raise ValueError(f"smoothing must lie between 0 and 1, got {smoothing}")
        self.still_gain = 1.0 - smoothing
        self.cuts = 0
        self._depth_m: NDArray[np.float32] | None = None
        self._blocks: NDArray[np.float32] | None = None

    def __call__(self, image: NDArray[np.uint8], depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next frame.

        Args:
            image: uint8 (H, W, 3) RGB.
            depth_m: float32 (H, W) metres, positive; the prediction for it.

        Returns:
            float32 (H, W) metres.
        """
        if self.still_gain == 1:
            return depth_m
        blocks = np.asarray(Image.fromarray(image).reduce(BLOCK_PX), dtype=np.float32)
        if self._depth_m is None or self._blocks is None or self._depth_m.shape != depth_m.shape:
            self._depth_m, self._blocks = depth_m, blocks
            return depth_m
        change = np.abs(blocks - self._blocks).max(axis=2)
        if np.mean(change > MOVED_LEVELS) > CUT_SHARE:
            self.cuts += 1
            self._depth_m, self._blocks = depth_m, blocks
            return depth_m

        gain = np.maximum(_around(_ramp(change, STILL_LEVELS, MOVED_LEVELS)), self.still_gain)
        self._blocks = self._blocks + gain[..., None] * (blocks - self._blocks)
        gain = _enlarged(gain, depth_m.shape)
        jump = np.abs(np.log(depth_m / self._depth_m))
        gain = np.maximum(gain, _ramp(jump, STILL_LOG, MOVED_LOG))
        result: NDArray[np.float32] = self._depth_m + gain * (depth_m - self._depth_m)
        self._depth_m = result
        return result


def _around(moved: NDArray[np.float32]) -> NDArray[np.float32]:
    """What has moved, with the blocks beside it, where an edge may just have come, and a soft rim."""
    levels = Image.fromarray(np.rint(moved * 255).astype(np.uint8))
    wide = levels.filter(ImageFilter.MaxFilter(5)).filter(ImageFilter.BoxBlur(1))
    return np.asarray(wide).astype(np.float32) / np.float32(255)


def _enlarged(blocks: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """From one number a block to one a pixel, without steps."""
    height, width = blocks.shape
    full = Image.fromarray(blocks).resize((width * BLOCK_PX, height * BLOCK_PX), Image.Resampling.BILINEAR)
    return np.asarray(full)[: shape[0], : shape[1]]


def _ramp(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """0 up to `low`, 1 from `high` on, linear between."""
    result: NDArray[np.float32] = ((values - np.float32(low)) / np.float32(high - low)).clip(0, 1)
    return result
