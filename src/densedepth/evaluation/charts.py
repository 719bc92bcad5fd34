"""The two charts of a report as inline SVG: how large errors are, and at which depth. Drawn by hand, no library."""

from __future__ import annotations

import numpy as np

from densedepth.evaluation.profile import ErrorProfile
from densedepth.io.svg import Plot, round_ticks


def error_histogram(profile: ErrorProfile) -> str:
    """Share of counted pixels by prediction - truth in metres; the outermost bars hold what lies beyond."""
    edges, shares = profile.error_edges_m, profile.error_shares
    ticks = round_ticks(float(shares.max()))
    plot = Plot((edges[0], edges[-1]), (0, ticks[-1]), "Histogram of prediction minus truth")
    plot.axes(np.linspace(edges[0], edges[-1], 9), ticks, "prediction − truth, m", "share of pixels", percent=True)
    for place, share in enumerate(shares):
        left, right = edges[place], edges[place + 1]
        where = f"{left:.3g} to {right:.3g} m"
        if place == 0:
            where = f"below {right:.3g} m"
        elif place == len(shares) - 1:
            where = f"above {left:.3g} m"
        plot.bar(left, right, share, "near" if right <= 1e-9 else "far", f"{where}: {100 * share:.2f} % of pixels")
    plot.line([(0, 0), (0, ticks[-1])], "zero")
    return plot.svg()


def error_by_depth(profile: ErrorProfile) -> str:
    """Mean absolute error and bias against true depth in metres, over the share of pixels at that depth."""
    edges, error, bias = profile.depth_edges_m, profile.mean_error_m, profile.bias_m
    known = np.concatenate([error[np.isfinite(error)], [0.0]])
    low, high = min(float(np.nanmin(np.append(bias, 0.0))), 0.0), float(known.max()) or 1.0
    ticks = round_ticks(high, low)
    plot = Plot((0, edges[-1]), (ticks[0], ticks[-1]), "Error against true depth")
    plot.axes(np.linspace(0, edges[-1], 11), ticks, "true depth, m", "error, m", percent=False)
    # Scaled to the upper part of the chart: how much of the data stands behind a point.
    tallest = float(profile.depth_shares.max()) or 1.0
    for place, share in enumerate(profile.depth_shares):
        left, right = edges[place], edges[place + 1]
        tip = f"{left:.3g} to {right:.3g} m: {100 * share:.1f} % of pixels"
        if share > 0:
            tip += f", mean |error| {error[place]:.3f} m, bias {bias[place]:+.3f} m"
        plot.bar(left, right, share / tallest * ticks[-1] * 0.9, "share", tip)
    centres = (edges[:-1] + edges[1:]) / 2
    plot.line([(0, 0), (edges[-1], 0)], "zero")
    plot.line(zip(centres, bias, strict=True), "bias")
    plot.line(zip(centres, error, strict=True), "error")
    return plot.svg()
