"""The recipe that `densedepth train` takes, with the reason for each guess beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from densedepth.data.inspection.inspection import Inspection
from densedepth.data.inspection.layouts import FOLDER
from densedepth.io.write import replacing

_BATCH = 8
_LONGEST = 640
_PAPER_FAR_M = 10.0


def reader_options(result: Inspection) -> dict[str, tuple[Any, str]]:
    """Option of the reader -> (value, why)."""
    options: dict[str, tuple[Any, str]] = {}
    conventions, index = result.conventions, result.index
    if result.dataset != FOLDER or conventions is None or index is None:
        return options
    if conventions.stated is None and conventions.hypotheses:
        best, second = conventions.hypotheses[:2]
        why = f"{best}; next best {second} ({second.percent} likely)"
        if conventions.inverse_why:
            why = "CHECK: these numbers are disparity, no depth"
        elif not best.plausible:
            why = "CHECK: no usual unit fits"
        options["metres_per_unit"] = best.metres_per_unit, why
    if conventions.invalid_why:
        mark = "nan" if np.isnan(conventions.invalid) else conventions.invalid
        options["invalid"] = mark, f"no depth: {conventions.invalid_why}"
    if index.lone_photos or index.lone_depths:
        why = f"{len(index.lone_photos)} photos and {len(index.lone_depths)} depth files without partner are left out"
        options["unpaired"] = "skip", why
    return options


def recipe_text(result: Inspection) -> str:
    """The recipe as YAML."""
    count = result.splits.get("train", 0)
    lines = [
        f"# Written by: densedepth data inspect {result.root}",
        "# Train with: densedepth train --config THIS_FILE",
        "data:",
        f"  root: {_yaml(str(result.root.resolve()))}",
        f"  dataset: {result.dataset}  # {result.layout_why}",
    ]
    options = reader_options(result)
    if options:
        lines.append("  options:")
        lines += [f"    {name}: {_yaml(value)}  # {why}" for name, (value, why) in options.items()]
    size = result.photo_size
    if size is not None:
        height, width = _network_size(*size)
        lines += [f"  height: {height}  # photos are {size[1]}x{size[0]}", f"  width: {width}"]
    scenes = len({item.scene for item in result.items if (item.split or "train") == "train"})
    if scenes > 1:
        lines.append(f"  validation_fraction: 0.1  # of {scenes} scenes")
    else:
        lines.append("  validation_fraction: 0  # a single scene cannot be split")
    far_m = result.far_m
    if far_m is not None and far_m > _PAPER_FAR_M:
        limit = float(np.ceil(far_m / 10) * 10)
        lines += [
            "model:",
            f"  reciprocal_m: {limit}  # 99.9 % of depth is nearer than {far_m:.1f} m",
            f"  depth_range_m: [{_nearest(limit)}, {limit}]",
        ]
    if 0 < count < 2 * _BATCH:
        lines.append(f"batch_size: {max(1, count // 4)}  # of {count} frames")
    return "\n".join(lines) + "\n"


def write_recipe(result: Inspection, path: Path) -> Path:
    """Write the recipe."""
    with replacing(path) as beside:
        beside.write_text(recipe_text(result), encoding="utf-8")
    return path


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, width=10_000, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _network_size(height: int, width: int) -> tuple[int, int]:
    """Multiples of 32 near the photo's shape, the longer side at most 640."""
    scale = min(1.0, _LONGEST / max(height, width))
    rows, columns = (max(32, 32 * round(side * scale / 32)) for side in (height, width))
    return rows, columns


def _nearest(far_m: float) -> float:
    """A hundredth of the far end, as in the paper: 0.1 of 10 m; 1 m from 80 m on."""
    return min(far_m / 100, 1.0)
