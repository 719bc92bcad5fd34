"""Photo / truth / prediction / error of single images, as pictures inside the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from densedepth.data import Frame
from densedepth.evaluation.comparison import Comparison
from densedepth.evaluation.result import FrameResult
from densedepth.io.color import color_table, colorize
from densedepth.io.page import PICTURE_WIDTH, data_uri

#: Blue is too near, red is too far, white is right.
ERROR_CMAP = "colorbrewer:RdBu_r"
_NOT_COUNTED = (96, 96, 96)


@dataclass(frozen=True)
class Panel:
    """One row: four pictures as data URIs, and the depths of the two ends of its colours in metres."""

    result: FrameResult
    photo: str
    truth: str
    prediction: str
    error: str
    near_m: float
    far_m: float


def chosen(frames: Sequence[FrameResult], most: int = 10) -> tuple[list[FrameResult], list[FrameResult]]:
    """The worst images by absolute relative error, worst first, and as many around the median. None is in both."""
    ranked = sorted(frames, key=lambda frame: -frame.metrics["abs_rel"])
    count = min(most, max(1, len(ranked) // 2))
    worst, rest = ranked[:count], ranked[count:]
    # The median of all images, not of the rest.
    start = min(max(len(ranked) // 2 - count // 2 - count, 0), max(len(rest) - count, 0))
    return worst, rest[start : start + count]


def panel(frame: Frame, compared: Comparison, result: FrameResult, reach_m: float) -> Panel:
    """Draw one image. Truth and prediction share their colours; the error saturates at ``reach_m`` metres."""
    truth_m = frame.depth_m[compared.counted]
    near_m, far_m = float(truth_m.min()), float(truth_m.max())
    error = np.where(compared.counted, compared.predicted_m - frame.depth_m, 0)
    place = np.rint((error / reach_m + 1) * 127.5).clip(0, 255).astype(np.uint8)
    colours = color_table(ERROR_CMAP)[place]
    colours[~compared.counted] = _NOT_COUNTED
    true_colours = np.array(colorize(np.where(frame.valid, frame.depth_m, np.float32(0)), near_m, far_m))
    true_colours[~frame.valid] = _NOT_COUNTED
    return Panel(
        result,
        data_uri(Image.fromarray(frame.image)),
        data_uri(Image.fromarray(true_colours), PICTURE_WIDTH, Image.Resampling.NEAREST),
        data_uri(colorize(compared.predicted_m, near_m, far_m)),
        data_uri(Image.fromarray(colours), PICTURE_WIDTH, Image.Resampling.NEAREST),
        near_m,
        far_m,
    )
