"""`densedepth export`: a trained checkpoint as one file that needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from densedepth.errors import DataError
from densedepth.export import export_checkpoint

NO_RESULTS: list[Path] = []


def export(
    checkpoint: Path,
    bundle: Path,
    name: str | None = None,
    license: str = "",
    metrics: list[Path] = NO_RESULTS,
    half_weights: bool = True,
) -> None:
    """Write a checkpoint as a bundle (.onnx), compared with torch at four sizes before it is put in place.

    Args:
        checkpoint: checkpoint folder, or the run folder that holds one as best/
        bundle: the .onnx file to write
        name: stands in the card and in depth files; the file's own name if not given
        license: what the weights may be used for; stands in the card
        metrics: results of `densedepth evaluate --json` to put into the card
        half_weights: store weights as float16, half the size; arithmetic stays float32
    """
    results = [_read_result(file) for file in metrics]
    path = export_checkpoint(checkpoint, bundle, name=name, license=license, metrics=results, half_weights=half_weights)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, depth equal to torch's at four sizes")


def _read_result(file: Path) -> dict[str, Any]:
    try:
        result = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: no result of densedepth evaluate --json ({error})") from None
    if not isinstance(result, dict) or not {"protocol", "per_image", "pooled"} <= result.keys():
        raise DataError(f"{file}: no result of densedepth evaluate --json: protocol, per_image or pooled is missing")
    return result
