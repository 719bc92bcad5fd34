"""What a frame of the result looks like: the frame, its depth in colour, and a legend in metres that never changes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.io.color import DEFAULT_CMAP, colorize
from densedepth.io.panel import legend_bar

Layout = Literal["side-by-side", "overlay", "depth"]

OVERLAY_SHARE = 0.5
_LEGEND_WIDTH = 480  # its words need as much


class Painter:
    """Draws all frames of one clip with the same colours.

    Attributes:
        width, height: of the pictures; both even, as H.264 wants them.
        padded: whether the last column is there twice to make the width even.
    """

    def __init__(self, width: int, height: int, layout: Layout, range_m: tuple[float, float]) -> None:
        self.layout, self.range_m = layout, range_m
        views = width * (2 if layout == "side-by-side" else 1)
        self.padded = views % 2 == 1
        self.width = views + self.padded
        scale = legend_bar(max(self.width, _LEGEND_WIDTH), *range_m, DEFAULT_CMAP)
        if scale.width > self.width:
            rows = round(scale.height * self.width / scale.width)
            scale = scale.resize((self.width, rows), Image.Resampling.BOX)
        # An odd height is made even below the legend, where nothing is lost.
        self.height = height + scale.height + (height + scale.height) % 2
        self._sheet = np.full((self.height, self.width, 3), 255, np.uint8)
        self._sheet[height : height + scale.height] = np.asarray(scale)
        self._rows, self._views = height, views

    def __call__(self, image: NDArray[np.uint8], depth_m: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Draw one frame: `image` uint8 (H, W, 3), `depth_m` float32 (H, W); gives uint8 (height, width, 3)."""
        colors = colorize(depth_m, *self.range_m)
        if self.layout == "overlay":
            colors = Image.blend(Image.fromarray(image), colors, OVERLAY_SHARE)
        sheet = self._sheet.copy()
        first = image.shape[1] if self.layout == "side-by-side" else 0
        sheet[: self._rows, :first] = image[:, :first]
        sheet[: self._rows, first : self._views] = np.asarray(colors)
        if self.padded:
            sheet[: self._rows, -1] = sheet[: self._rows, -2]
        return sheet
