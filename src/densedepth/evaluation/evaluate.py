"""Running a model over a data set under a protocol."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from densedepth.data import DepthDataset
from densedepth.evaluation.protocols import Protocol
from densedepth.metrics import METRIC_NAMES, DepthMetrics
from densedepth.runtime import DepthEstimator


@dataclass(frozen=True)
class Evaluation:
    """Numbers, and everything that must be known to compare them with others.

    ``per_image`` is the mean of each image's value, ``pooled`` is over all pixels at once; see
    :mod:`densedepth.metrics`.
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

    def save_json(self, path: str | os.PathLike[str]) -> Path:
        """Write all fields; beside the target first, then renamed."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(asdict(self), indent=2) + "\n")
        beside.replace(path)
        return path

    def __str__(self) -> str:
        head = (
            f"{self.model} on {self.dataset}, {self.images} images\n"
            f"protocol {self.protocol}: crop {self.crop}, cap {self.cap_m:g} m, alignment {self.alignment}, "
            f"mirror averaging {'on' if self.tta else 'off'}"
        )
        rows = [f"{'':10}" + "".join(f"{name:>10}" for name in METRIC_NAMES)]
        for label, values in (("per image", self.per_image), ("pooled", self.pooled)):
            rows.append(f"{label:10}" + "".join(f"{values[name]:10.4f}" for name in METRIC_NAMES))
        return "\n".join([head, *rows])


def evaluate_model(
    estimator: DepthEstimator,
    dataset: DepthDataset,
    protocol: Protocol,
    *,
    dataset_name: str,
    tta: bool = True,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Evaluation:
    """Predict every frame from its photo alone and compare with its depth.

    Args:
        estimator: the model; it is not told the frames' cameras, so it assumes the one it was trained for.
        dataset: frames with ground truth.
        protocol: crop and depth limits.
        dataset_name: stands in the result.
        tta: average with the mirrored prediction of the mirrored photo, as the paper does.
        progress: wraps the iteration, for a progress bar.

    Raises:
        DataError: a frame cannot be read, or has no ground truth that counts; the message names it.
    """
    metrics = DepthMetrics()
    for index in progress(range(len(dataset))):
        frame = dataset[index]
        counted = protocol.counted(frame.depth_m, frame.valid, frame.key)
        predicted_m = estimator.predict(frame.image, tta=tta).depth_m
        predicted_m = np.clip(predicted_m, protocol.min_depth_m, protocol.cap_m)
        metrics.update(predicted_m[counted], frame.depth_m[counted])
    return Evaluation(
        model=estimator.card.name,
        dataset=dataset_name,
        protocol=protocol.name,
        crop=protocol.crop_text,
        cap_m=protocol.cap_m,
        alignment="none",
        tta=tta,
        images=len(metrics.per_image_values),
        per_image=metrics.per_image(),
        pooled=metrics.pooled(),
    )
