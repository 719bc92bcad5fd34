"""Axes, bars and lines as inline SVG. Drawn by hand, no library; the classes are those of `densedepth.io.page`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_WIDTH, _HEIGHT = 560, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 44


class Plot:
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
        self.x_labels((value, f"{value:.3g}") for value in x_ticks)
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        self._parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{x_label}</text>')
        self._parts.append(
            f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{y_label}</text>'
        )

    def x_labels(self, labels: Iterable[tuple[float, str]]) -> None:
        """Words under the horizontal axis, for axes that are not in their own unit."""
        for value, text in labels:
            self._parts.append(
                f'<text x="{self.x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{text}</text>'
            )

    def svg(self) -> str:
        return "".join(self._parts) + "</svg>"


def round_ticks(high: float, low: float = 0.0) -> np.ndarray:
    """Four to nine round numbers that enclose [low, high]."""
    span = max(high - low, 1e-9)
    power = 10 ** np.floor(np.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 7)
    ticks: np.ndarray = np.arange(np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9) + 1) * step
    return ticks
