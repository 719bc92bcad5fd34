"""`densedepth export`: a trained checkpoint as a file that needs no torch."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from densedepth.commands import UsageError
from densedepth.errors import DataError
from densedepth.evaluation import evaluate_model, protocol_for
from densedepth.export import export_file
from densedepth.export.bundle import Exported, output_path
from densedepth.export.calibration import calibration_photos, validation_frames
from densedepth.export.int8 import Budget, Measure, export_int8
from densedepth.runtime import DepthEstimator, read_card
from densedepth.runtime.network import RunningNetwork

NO_RESULTS: list[Path] = []


def export(
    source: Path,
    out: Path,
    name: str | None = None,
    license: str = "",
    metrics: list[Path] = NO_RESULTS,
    half_weights: bool = True,
    int8: bool = False,
    calibration: Path | None = None,
    photos: int = 48,
    max_error: float = 0.01,
    dataset: str = "nyu",
    root: Path | None = None,
    limit: int | None = None,
) -> None:
    """Write a network as a file that runs by itself, compared with torch at four sizes before it is put in place.

    The name says what is written: .onnx a bundle, .xml OpenVINO IR (with its .bin), .pt2 a program of torch.export.

    Args:
        source: checkpoint folder, or the run folder that holds one as best/; or a bundle (.onnx) to turn into another
            form
        out: the file to write
        name: stands in the card and in depth files; the file's own name if not given, a bundle keeps its own
        license: what the weights may be used for; stands in the card
        metrics: results of `densedepth evaluate --json` to put into the card
        half_weights: store weights as float16, half the size; arithmetic stays float32
        int8: calculate in integers, which halves the file; layers that cannot bear it stay in float
        calibration: for --int8, a folder of photos like those the network will see, or of a data set, whose training
            frames are taken
        photos: at most so many of them are used, evenly spread
        max_error: for --int8, mean relative difference to the float depth that is allowed on these photos
        dataset: layout of a data set to measure float and int8 on
        root: its folder; the frames are whole scenes of the training part that calibration does not see
        limit: measure on so many frames at most, evenly spread
    """
    results = [_read_result(file) for file in metrics]
    if not int8:
        if calibration is not None or root is not None:
            raise UsageError("--calibration and --root are for --int8: add it, or leave them out")
        made = export_file(source, out, name=name, license=license, metrics=results, half_weights=half_weights)
        print(f"{_what(made)}, equal to the network at four sizes (largest difference {made.difference:.2g})")
        return
    if calibration is None:
        raise UsageError("--int8 needs --calibration: a folder of 30 or more photos like those the network will see")
    if results:
        raise UsageError("--metrics are for float files; --int8 measures its own with --root")
    budget, out = Budget(max_error), output_path(out)
    measure = None if root is None else _measure(dataset, root, limit)
    with tempfile.TemporaryDirectory() as folder:
        bundle = source
        if source.is_dir():
            bundle = export_file(source, Path(folder) / f"{out.stem}.onnx", license=license, half_weights=False).path
        seen, calibrated_on = calibration_photos(calibration, read_card(bundle), photos)
        made = export_int8(
            bundle, out, seen, calibrated_on=calibrated_on, budget=budget, name=name, measure=measure, say=_say
        )
    report = made.card.extra["quantization"]
    kept = len(report["kept_in_float"])
    error = f"{made.difference:.2%} from the float depth"
    print(f"{_what(made)}, int8 with {kept} of {report['layers']} layers in float, {error}")
    if "after" in report:
        print(_comparison(report["before"], report["after"]))


def _what(made: Exported) -> str:
    opset = made.card.extra.get("opset")
    return f"{made.path}: {made.bytes / 1e6:.1f} MB" + (f", opset {opset}" if made.path.suffix == ".onnx" else "")


def _measure(dataset: str, root: Path, limit: int | None) -> Measure:
    frames, protocol = validation_frames(dataset, root), protocol_for(dataset, None)

    def measure(network: RunningNetwork) -> dict[str, Any]:
        result = evaluate_model(
            DepthEstimator(network), frames, protocol, dataset_name=f"{dataset} held-out scenes", tta=False, limit=limit
        )
        kept = ("dataset", "protocol", "images", "per_image")
        return {key: value for key, value in result.as_json().items() if key in kept}

    return measure


def _comparison(before: dict[str, Any], after: dict[str, Any]) -> str:
    pairs = [
        f"{key} {before['per_image'][key]:.4f} -> {after['per_image'][key]:.4f}"
        for key in ("delta1", "abs_rel", "rmse")
    ]
    return f"{after['dataset']}, {after['images']} images, protocol {after['protocol']}: {', '.join(pairs)}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _read_result(file: Path) -> dict[str, Any]:
    try:
        result = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: no result of densedepth evaluate --json ({error})") from None
    if not isinstance(result, dict) or not {"protocol", "per_image", "pooled"} <= result.keys():
        raise DataError(f"{file}: no result of densedepth evaluate --json: protocol, per_image or pooled is missing")
    return result
