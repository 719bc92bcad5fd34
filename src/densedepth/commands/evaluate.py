"""`densedepth evaluate`: a model's numbers on a data set, with the protocol they were measured under."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from densedepth.data import open_dataset
from densedepth.evaluation import Alignment, evaluate_model, protocol_for, write_report
from densedepth.evaluation.comparison import Predictor
from densedepth.evaluation.hf import PREFIX, load_hub
from densedepth.runtime import load


def evaluate(
    *,
    root: Path,
    model: str = "nyu",
    dataset: str = "nyu",
    split: str = "test",
    protocol: str | None = None,
    alignment: Alignment = "none",
    tta: bool = True,
    limit: int | None = None,
    json: Path | None = None,
    csv: Path | None = None,
    report: Path | None = None,
    threads: int | None = None,
) -> None:
    """Measure a model on a data set: the nine metrics, per image and pooled, with their protocol and 95 % intervals.

    Args:
        root: folder of the data set
        model: name of a shipped model, a bundle (.onnx), a checkpoint folder, or hf:NAME for a depth model of
            transformers (a repository of its hub or a local folder)
        dataset: layout of the data set
        split: part of it, such as test or train
        protocol: crop and depth limits by name: nyu-eigen (usual for nyu), nyu-densedepth, kitti-garg (usual for
            kitti), kitti-eigen, none
        alignment: fit each prediction to its truth first: none, median (one factor) or least-squares (scale and
            shift); models of relative depth need one
        tta: average with the mirrored prediction of the mirrored photo, as the paper does
        limit: use at most so many images, evenly spread over the data set, for a quick look; the result says so
        json: write the result here, too
        csv: write one row an image here
        report: write a page with tables, charts and pictures (report.html, per_image.csv) into this folder
        threads: cores used for one prediction; null lets the runtime decide
    """
    rules = protocol_for(dataset, protocol)
    frames = open_dataset(dataset, root, split)
    estimator: Predictor = (
        load_hub(model, threads=threads) if model.startswith(PREFIX) else load(model, threads=threads)
    )
    result = evaluate_model(
        estimator,
        frames,
        rules,
        dataset_name=f"{dataset} {split}",
        tta=tta,
        alignment=alignment,
        limit=limit,
        progress=_bar("image"),
    )
    print(result)
    written = [result.save_json(json)] if json is not None else []
    if csv is not None:
        written.append(result.save_csv(csv))
    if report is not None:
        drawn = _bar("picture")
        written.append(
            write_report(result, report, estimator=estimator, dataset=frames, protocol=rules, progress=drawn)
        )
    for path in written:
        print(f"written: {path}")


def _bar(unit: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """A progress bar on a terminal, nothing in a log file."""
    return lambda items: tqdm(items, unit=unit, file=sys.stderr, disable=None)
