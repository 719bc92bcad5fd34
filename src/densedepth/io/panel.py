"""The picture to look at: photo beside coloured depth, with a scale in metres."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from densedepth.io.color import DEFAULT_CMAP, color_limits, color_table, colorize
from densedepth.types import DepthMap

MAX_SIDE = 1280
MIN_SIDE = 240
_TICKS = 5


def side_by_side(depth: DepthMap, max_side: int = MAX_SIDE, cmap: str = DEFAULT_CMAP) -> Image.Image:
    """Draw photo | coloured depth above a legend bar from near to far in metres.

    It is made for looking at, so big maps are made smaller and tiny ones larger; the full resolution is in the depth
    file. Without a photo the depth stands alone.

    Args:
        depth: the map, with or without its photo.
        max_side: pixels that the longer side of each of the two has at most.
        cmap: name of any map of the `cmap` package.

    Returns:
        RGB picture.

    Raises:
        ValueError: `cmap` names no colour map.
    """
    scale = min(1.0, max_side / max(depth.width, depth.height))
    scale = max(scale, MIN_SIDE / max(depth.width, depth.height))
    size = max(1, round(depth.width * scale)), max(1, round(depth.height * scale))
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    # One at a time: a big picture takes four bytes a pixel here.
    views = [] if depth.image is None else [Image.fromarray(depth.image).resize(size, how)]
    views.append(colorize(depth, cmap=cmap).resize(size, how))

    width = max(len(views) * size[0], 2 * MIN_SIDE)
    legend = legend_bar(width, *color_limits(depth), cmap)
    sheet = Image.new("RGB", (width, size[1] + legend.height), "white")
    for place, view in enumerate(views):
        sheet.paste(view, (place * size[0], 0))
    sheet.paste(legend, (0, size[1]))
    return sheet


def legend_bar(width: int, near_m: float, far_m: float, cmap: str) -> Image.Image:
    """A bar of all colours, near on the left, with depths in metres under it."""
    font_px = max(12, width // 64)
    margin, bar_px = 2 * font_px, font_px
    legend = Image.new("RGB", (width, 4 * font_px), "white")
    bar_size = width - 2 * margin, bar_px
    bar = Image.fromarray(color_table(cmap)[None])
    legend.paste(bar.resize(bar_size, Image.Resampling.NEAREST), (margin, font_px // 2))
    draw, font = ImageDraw.Draw(legend), ImageFont.load_default(font_px)
    for part in np.linspace(0, 1, _TICKS):
        x = margin + part * (width - 2 * margin)
        draw.line([(x, font_px // 2 + bar_px), (x, font_px * 2)], fill="black")
        text = f"{near_m + part * (far_m - near_m):.2f} m"
        words, anchor = {0.0: (f"near {text}", "la"), 1.0: (f"{text} far", "ra")}.get(float(part), (text, "ma"))
        draw.text((x, font_px * 2.1), words, fill="black", font=font, anchor=anchor)
    return legend
