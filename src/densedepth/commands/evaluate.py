"""`densedepth evaluate`: a model's numbers on a data set, with the protocol they were measured under."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.arguments import NO_OPTIONS
from densedepth.data import DepthDataset, open_dataset, split_by_scene
from densedepth.errors import DataError
from densedepth.evaluation import Alignment, evaluate_model, protocol_for, write_report
from densedepth.evaluation.hf import load_any
from densedepth.io import replacing
from densedepth.io.opening import one_line
from densedepth.runtime.devices import AUTO


def evaluate(
    *,
    root: Path | None = None,
    model: str = "nyu",
    dataset: str = "nyu",
    split: str = "test",
    options: dict[str, Any] = NO_OPTIONS,
    validation_of: Path | None = None,
    protocol: str | None = None,
    alignment: Alignment = "none",
    tta: bool = True,
    use_camera: bool = False,
    limit: int | None = None,
    json: Path | None = None,
    csv: Path | None = None,
    report: Path | None = None,
    device: str = AUTO,
    threads: int | None = None,
) -> None:
    """Measure a model on a data set: the nine metrics, per image and pooled, with their protocol and 95 % intervals.

    Args:
        root: folder of the data set
        model: name of a shipped model, a bundle (.onnx), a checkpoint folder, or hf:NAME for a bundle of the
            hub or a depth model of transformers (a repository or a local folder)
        dataset: layout of the data set
        split: part of it, such as test or train
        options: of the data set's reader, by name, such as --options.metres_per_unit 0.001
        validation_of: instead of a part, the frames that this training run held out for validation, by the recipe in
            its folder; --root then says where the data set lies now, if it was moved
        protocol: crop and depth limits by name: nyu-eigen (usual for nyu sets), nyu-densedepth, kitti-garg (usual for
            the kitti sets), kitti-eigen, none
        alignment: fit each prediction to its truth first: none, median (one factor) or least-squares (scale and
            shift); models of relative depth need one
        tta: average with the mirrored prediction of the mirrored photo, as the paper does
        use_camera: tell the model each frame's camera, where the data set knows it; otherwise it assumes its own
        limit: use at most so many images, evenly spread over the data set, for a quick look; the result says so
        json: write the result here, too
        csv: write one row an image here
        report: write a page with tables, charts and pictures (report.html, per_image.csv) into this folder
        device: what runs the model, see densedepth predict --help
        threads: cores used for one prediction; null lets the runtime decide
    """
    if validation_of is not None:
        dataset, frames = held_out(validation_of, root)
        split = f"frames held out by {validation_of}"
    elif root is None:
        raise UsageError("--root is missing: the folder of the data set")
    else:
        frames = open_dataset(dataset, root, split, **options)
    rules = protocol_for(dataset, protocol)
    estimator = load_any(model, device=device, threads=threads)
    print(f"device: {estimator.device}", file=sys.stderr)
    with ExitStack() as stack:
        # The files are begun now: what stands in their way is told before minutes of measuring.
        json_beside = None if json is None else stack.enter_context(replacing(json))
        csv_beside = None if csv is None else stack.enter_context(replacing(csv))
        if report is not None:
            report.mkdir(parents=True, exist_ok=True)
        result = evaluate_model(
            estimator,
            frames,
            rules,
            dataset_name=f"{dataset} {split}",
            tta=tta,
            alignment=alignment,
            use_camera=use_camera,
            limit=limit,
            progress=partial(tqdm, unit="image", disable=None),
        )
        print(result)
        if json_beside is not None:
            result.save_json(json_beside)
        if csv_beside is not None:
            result.save_csv(csv_beside)
    written = [path for path in (json, csv) if path is not None]
    if report is not None:
        drawn = partial(tqdm, unit="picture", disable=None)
        written.append(
            write_report(result, report, estimator=estimator, dataset=frames, protocol=rules, progress=drawn)
        )
    for path in written:
        print(f"written: {path}")


def held_out(run: Path, root: Path | None) -> tuple[str, DepthDataset]:
    """Layout and validation frames of a training run."""
    recipe = run / "config.yaml"
    try:
        data = yaml.safe_load(recipe.read_text(encoding="utf-8"))["data"]
        name, source, options = data["dataset"], root or data["root"], data.get("options", {})
        fraction, seed = data["validation_fraction"], data["split_seed"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{recipe}: no recipe of a training run ({one_line(error)})") from None
    _, frames = split_by_scene(open_dataset(name, source, "train", **options), fraction, seed)
    if not len(frames):
        raise DataError(f"{recipe}: the run held out no frames (validation_fraction is {fraction})")
    return name, frames
