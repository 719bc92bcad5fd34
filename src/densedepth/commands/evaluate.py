"""`densedepth evaluate`: a model's numbers on a data set, with the protocol they were measured under."""

from __future__ import annotations

import sys
from pathlib import Path

from tqdm import tqdm

from densedepth.data import open_dataset
from densedepth.evaluation import evaluate_model, protocol_for
from densedepth.runtime import load


def evaluate(
    *,
    root: Path,
    model: str = "nyu",
    dataset: str = "nyu",
    split: str = "test",
    protocol: str | None = None,
    tta: bool = True,
    json: Path | None = None,
    threads: int | None = None,
) -> None:
    """Measure a model on a data set and print the nine metrics, per image and pooled, with their protocol.

    Args:
        root: folder of the data set
        model: name of a shipped model, a bundle (.onnx) or a checkpoint folder
        dataset: layout of the data set
        split: part of it, such as test or train
        protocol: crop and depth limits by name: nyu-eigen (usual for nyu), nyu-densedepth, none
        tta: average with the mirrored prediction of the mirrored photo, as the paper does
        json: write the result here, too
        threads: cores used for one prediction; null lets onnxruntime decide
    """
    rules = protocol_for(dataset, protocol)
    frames = open_dataset(dataset, root, split)
    estimator = load(model, threads=threads)
    result = evaluate_model(
        estimator,
        frames,
        rules,
        dataset_name=f"{dataset} {split}",
        tta=tta,
        progress=lambda frames: tqdm(frames, unit="image", file=sys.stderr, disable=None),
    )
    print(result)
    if json is not None:
        print(f"written: {result.save_json(json)}")
