"""What an evaluation says: numbers, and everything that must be known to compare them with others."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from densedepth.evaluation.alignment import Fit
from densedepth.evaluation.bootstrap import RESAMPLES, Intervals
from densedepth.evaluation.edges import EDGE_THRESHOLDS, threshold_name
from densedepth.evaluation.profile import ErrorProfile
from densedepth.io.write import replacing
from densedepth.metrics import METRIC_NAMES


@dataclass(frozen=True)
class FrameResult:
    """One image: ``index`` in its data set, ``key`` in messages, counted pixels, metrics, edge F1 and alignment.

    ``edge_f1`` has a value for each threshold, NaN where the truth has no edge.
    """

    index: int
    key: str
    pixels: int
    metrics: dict[str, float]
    edge_f1: tuple[float, ...]
    fit: Fit


@dataclass(frozen=True)
class Evaluation:
    """The result of one run.

    ``per_image`` is the mean of each image's value, ``pooled`` is over all pixels at once; see
    :mod:`densedepth.metrics`. Unless all images of the data set were used, ``every`` says that each ``every``-th was,
    of ``images_in_dataset``. ``scale_error`` is the median over images of |median(prediction / truth) - 1|. ``frames``
    and ``profile`` are for tables and charts and not part of the JSON.
    """

    model: str
    dataset: str
    protocol: str
    crop: str
    cap_m: float
    alignment: str
    tta: bool
    images: int
    per_image: dict[str, float]
    pooled: dict[str, float]
    min_depth_m: float = 1e-3
    resize: str = ""
    alignment_space: str = "depth"
    every: int = 1
    images_in_dataset: int | None = None
    pixels: int | None = None
    intervals95: Intervals | None = None
    edges: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    use_camera: bool = False
    scale_error: float | None = None
    sparsification: dict[str, Any] | None = None
    training_data: str = ""
    seconds: float | None = None
    densedepth_version: str = ""
    frames: list[FrameResult] = field(default_factory=list, repr=False, compare=False, metadata={"json": False})
    profile: ErrorProfile | None = field(default=None, repr=False, compare=False, metadata={"json": False})

    def as_json(self) -> dict[str, Any]:
        """All fields but those that are tables or charts."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.metadata.get("json", True)}

    def save_json(self, path: str | os.PathLike[str]) -> Path:
        """Write `as_json`; whole or not at all."""
        path = Path(path)
        with replacing(path) as beside:
            beside.write_text(json.dumps(self.as_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        return path

    def save_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write one row an image: key, counted pixels, metrics, edge F1 (empty without edges) and alignment."""
        path = Path(path)
        edge_columns = [f"edge_f1_{threshold_name(limit)}" for limit in EDGE_THRESHOLDS]
        with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["image", "pixels", *METRIC_NAMES, *edge_columns, "scale", "shift"])
            for frame in self.frames:
                metrics = [frame.metrics[name] for name in METRIC_NAMES]
                edges = ["" if value != value else value for value in frame.edge_f1]  # NaN differs from itself
                table.writerow([frame.key, frame.pixels, *metrics, *edges, frame.fit.scale, frame.fit.shift])
        return path

    @property
    def protocol_line(self) -> str:
        """The conditions in one line: without them the numbers mean nothing."""
        in_space = f" in {self.alignment_space}" if self.alignment == "least-squares" else ""
        return (
            f"protocol {self.protocol}: crop {self.crop}, cap {self.cap_m:g} m, alignment {self.alignment}{in_space}, "
            f"mirror averaging {'on' if self.tta else 'off'}"
            + (", camera told" if self.use_camera else "")
            + (f", {self.resize}" if self.resize else "")
        )

    @property
    def images_text(self) -> str:
        """How many images, and of which selection."""
        if self.every == 1:
            return f"{self.images} images"
        return f"{self.images} images (only every {_ordinal(self.every)} of {self.images_in_dataset})"

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.dataset}, {self.images_text}", self.protocol_line]
        lines.append(f"{'':12}" + "".join(f"{name:>10}" for name in METRIC_NAMES))
        for label, values in (("per image", self.per_image), ("pooled", self.pooled)):
            lines.append(f"{label:12}" + "".join(f"{values[name]:10.4f}" for name in METRIC_NAMES))
            limits = (self.intervals95 or {}).get(label.replace(" ", "_"), {})
            for row, place in (("  95 % from", 0), ("         to", 1)) if limits else ():
                lines.append(f"{row:12}" + "".join(_limit(limits.get(name), place) for name in METRIC_NAMES))
        if self.scale_error is not None:
            lines.append(f"scale       median over images of |median(prediction / truth) - 1|: {self.scale_error:.3f}")
        if self.sparsification is not None:
            lines.append(_sparsification_text(self.sparsification))
        if self.edges:
            lines.append("edge F1     " + "; ".join(_edge_text(name, row) for name, row in self.edges.items()))
        if self.intervals95:
            lines.append(f"95 % intervals: {RESAMPLES} bootstrap resamples of the images")
        return "\n".join(lines)


def _sparsification_text(curves: dict[str, Any]) -> str:
    drops = []
    for label in ("per_image", "pooled"):
        rmse, oracle = (np.interp(0.2, curves["dropped"], curves[label][name]) for name in ("rmse", "oracle"))
        whole = curves[label]["rmse"][0]
        drops.append(f"{label.replace('_', ' ')} {rmse / whole - 1:+.1%} (at best {oracle / whole - 1:+.1%})")
    return f"uncertainty rmse without the least sure 20 % of pixels: {', '.join(drops)}"


def _limit(limits: list[float] | None, place: int) -> str:
    return f"{limits[place]:10.4f}" if limits else f"{'-':>10}"


def _edge_text(threshold: str, row: dict[str, float | int | None]) -> str:
    if row["f1"] is None:
        return f"> {threshold} m: no image has true edges"
    text = f"> {threshold} m: {row['f1']:.3f} (precision {row['precision']:.3f}, recall {row['recall']:.3f}"
    without = row["images_without_edges"]
    return text + (f", {without} images without true edges left out)" if without else ")")


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
