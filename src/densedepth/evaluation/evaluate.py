"""Running a model over a data set under a protocol."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np

from densedepth import __version__
from densedepth.data import DepthDataset
from densedepth.errors import DataError
from densedepth.evaluation.alignment import ALIGNMENTS
from densedepth.evaluation.bootstrap import intervals95
from densedepth.evaluation.comparison import Predictor, compare, resize_of, space_of
from densedepth.evaluation.edges import EdgeQuality
from densedepth.evaluation.profile import ErrorProfile
from densedepth.evaluation.protocols import Protocol
from densedepth.evaluation.result import Evaluation, FrameResult
from densedepth.evaluation.sparsification import Sparsification
from densedepth.metrics import DepthMetrics


def evaluate_model(
    estimator: Predictor,
    dataset: DepthDataset,
    protocol: Protocol,
    *,
    dataset_name: str,
    tta: bool = True,
    alignment: str = "none",
    use_camera: bool = False,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Evaluation:
    """Predict every frame from its photo alone and compare with its depth.

    One frame is in memory at a time; what is kept of each is some forty numbers.

    Args:
        estimator: the model.
        dataset: frames with ground truth.
        protocol: crop and depth limits.
        dataset_name: stands in the result.
        tta: average with the mirrored prediction of the mirrored photo, as the paper does.
        alignment: "none", or fit each prediction to its truth first: "median" | "least-squares".
        use_camera: tell the model each frame's camera; otherwise it assumes the one it was trained for.
        limit: use at most so many frames, every k-th of the data set; the result says so.
        seed: of the bootstrap intervals.
        progress: wraps the iteration over indices, for a progress bar.

    Raises:
        DataError: a frame cannot be read, has no ground truth that counts, or is predicted as something that is no
            depth (the message names it); no frames; or a model of relative depth without an alignment.
    """
    _check(estimator, dataset, dataset_name, alignment, limit)
    if use_camera and not getattr(estimator, "takes_camera", True):
        raise DataError(f"{estimator.card.name}: this model cannot be told a camera; leave out --use-camera")
    started_s = time.perf_counter()
    every = 1 if limit is None else -(-len(dataset) // limit)
    metrics, edges, profile = DepthMetrics(), EdgeQuality(), ErrorProfile(protocol.cap_m)
    sparsification = Sparsification()
    frames: list[FrameResult] = []
    scale_errors: list[float] = []
    for index in progress(range(0, len(dataset), every)):
        frame = dataset[index]
        compared = compare(estimator, frame, protocol, tta=tta, alignment=alignment, use_camera=use_camera)
        predicted_m, truth_m = compared.predicted_m[compared.counted], frame.depth_m[compared.counted]
        scale_errors.append(abs(float(np.median(predicted_m / truth_m)) - 1))
        profile.update(predicted_m, truth_m)
        if compared.uncertainty_m is not None:
            sparsification.update(predicted_m, truth_m, compared.uncertainty_m[compared.counted])
        f1 = edges.update(compared.predicted_m, frame.depth_m, compared.counted)
        values = metrics.update(predicted_m, truth_m)
        frames.append(FrameResult(index, frame.key, truth_m.size, values, tuple(map(float, f1)), compared.fit))
    return Evaluation(
        model=estimator.card.name,
        dataset=dataset_name,
        protocol=protocol.name,
        crop=protocol.crop_text,
        cap_m=protocol.cap_m,
        alignment=alignment,
        tta=tta,
        use_camera=use_camera,
        sparsification=sparsification.summary(),
        scale_error=statistics.median(scale_errors),
        images=len(frames),
        per_image=metrics.per_image(),
        pooled=metrics.pooled(),
        min_depth_m=protocol.min_depth_m,
        resize=resize_of(estimator),
        alignment_space=space_of(estimator),
        every=every,
        images_in_dataset=len(dataset),
        pixels=sum(frame.pixels for frame in frames),
        intervals95=intervals95(metrics, edges.f1, seed=seed),
        edges=edges.summary(),
        training_data=getattr(estimator.card, "training_data", ""),
        seconds=round(time.perf_counter() - started_s, 2),
        densedepth_version=__version__,
        frames=frames,
        profile=profile,
    )


def _check(estimator: Predictor, dataset: DepthDataset, dataset_name: str, alignment: str, limit: int | None) -> None:
    """What can be said before the first prediction."""
    if alignment not in ALIGNMENTS:
        raise DataError(f"unknown alignment '{alignment}'; known: {', '.join(ALIGNMENTS)}")
    if space_of(estimator) == "disparity" and alignment == "none":
        raise DataError(
            f"{estimator.card.name}: predicts relative depth, not metres, so its metric error is not defined; "
            "give --alignment least-squares (or median), which will be printed with the result"
        )
    if limit is not None and limit < 1:
        raise DataError(f"--limit must be at least 1 image, got {limit}")
    if len(dataset) == 0:
        raise DataError(f"{dataset_name}: holds no frames to evaluate; check --root and --split")
