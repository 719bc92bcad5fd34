"""The two charts of a report as inline SVG: how large errors are, and at which depth. Drawn by hand, no library."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from densedepth.evaluation.profile import ErrorProfile

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 44


class _Plot:
    """Axes in data units; everything is drawn in them."""

    def __init__(self, x_range: tuple[float, float], y_range: tuple[float, float], title: str) -> None:
        self._x, self._y = x_range, y_range
        self._parts = [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}" '
            f'xmlns="http://www.w3.org/2000/svg"><title>{title}</title>'
        ]

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def bar(self, left: float, right: float, value: float, style: str, tip: str) -> None:
        top, x = self.y(value), self.x(left)
        self._parts.append(
            f'<rect class="{style}" x="{x + 0.5:.1f}" y="{top:.1f}" width="{max(self.x(right) - x - 1, 0.5):.1f}" '
            f'height="{max(self.y(0) - top, 0):.1f}"><title>{tip}</title></rect>'
        )

    def line(self, points: Iterable[tuple[float, float]], style: str) -> None:
        """Through all points but those without a value, which break it."""
        path, pen = "", "M"
        for x, y in points:
            if np.isfinite(y):
                path, pen = path + f"{pen}{self.x(x):.1f} {self.y(y):.1f}", "L"
            else:
                pen = "M"
        self._parts.append(f'<path class="{style}" d="{path}"/>')

    def axes(
        self, x_ticks: Iterable[float], y_ticks: Iterable[float], x_label: str, y_label: str, percent: bool
    ) -> None:
        for value in y_ticks:
            y = self.y(value)
            text = f"{100 * value:.3g} %" if percent else f"{value:.3g}"
            self._parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self._parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for value in x_ticks:
            self._parts.append(
                f'<text x="{self.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{value:.3g}</text>'
            )
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        self._parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{x_label}</text>')
        self._parts.append(
            f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{y_label}</text>'
        )

    def svg(self) -> str:
        return "".join(self._parts) + "</svg>"


def error_histogram(profile: ErrorProfile) -> str:
    """Share of counted pixels by prediction - truth in metres; the outermost bars hold what lies beyond."""
    edges, shares = profile.error_edges_m, profile.error_shares
    ticks = _ticks(float(shares.max()))
    plot = _Plot((edges[0], edges[-1]), (0, ticks[-1]), "Histogram of prediction minus truth")
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
    ticks = _ticks(high, low)
    plot = _Plot((0, edges[-1]), (ticks[0], ticks[-1]), "Error against true depth")
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


def _ticks(high: float, low: float = 0.0) -> np.ndarray:
    """Four to nine round numbers that enclose [low, high]."""
    span = max(high - low, 1e-9)
    power = 10 ** np.floor(np.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 7)
    ticks: np.ndarray = np.arange(np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9) + 1) * step
    return ticks
