"""Runs small enough to train in a test: frames whose brightness is their depth, and a network with dropped paths."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import yaml
from safetensors.torch import load_file
from timm.models import register_model
from torch import Tensor

import densedepth
from conftest import write_nyu_layout
from densedepth.cli import main
from densedepth.training.config import DataConfig, EngineConfig, ModelConfig

HEIGHT, WIDTH = 64, 96
TINY = ModelConfig(encoder="test_efficientnet", decoder_width=32, pretrained=False)
#: No test looks at TensorBoard's files but the one that is about them.
QUIET = EngineConfig(loggers=[])


@register_model
def droppath_net(pretrained: bool = False, **options: Any) -> Any:
    """A timm model that draws random numbers."""
    return timm.create_model("test_byobnet", drop_path_rate=0.5, **options)


def write_frames(root: Path, scenes: list[str], *, holes: bool = False) -> Path:
    """Slanted planes, 1 to 9 m, the darker, the deeper; with ``holes``, ever more of each frame has no depth."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    triples: list[Any] = []
    for number, scene in enumerate(scenes):
        a, b = rng.uniform(-1, 1, 2)
        plane = a * x / WIDTH + b * y / HEIGHT
        depth_m = 1 + 8 * (plane - plane.min()) / np.ptp(plane)
        grey = 255 - depth_m * 25
        photo = np.clip(grey[..., None] + rng.normal(0, 4, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        stored = (depth_m * 1000).astype(np.uint16)
        if holes:
            stored[:, : number * WIDTH // (len(scenes) + 1)] = 0
        triples.append((scene, photo, stored))
    return write_nyu_layout(root, triples)


def data(frames: Path, **changes: Any) -> DataConfig:
    return DataConfig(**{"root": str(frames), "height": HEIGHT, "width": WIDTH, "validation_fraction": 0.25, **changes})


def write_recipe(path: Path, frames: Path, **keys: Any) -> Path:
    """A recipe file; ``keys`` are merged into it, group by group."""
    recipe: dict[str, Any] = {
        "data": asdict(data(frames)),
        "model": {"encoder": "droppath_net", "decoder_width": 16, "pretrained": False},
        "engine": {"loggers": [], "accelerator": "cpu"},
        "batch_size": 2,
    }
    for key, value in keys.items():
        recipe[key] = {**recipe.get(key, {}), **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(recipe))
    return path


def start(*words: object, **options: Any) -> subprocess.Popen[str]:
    """`densedepth train WORDS` as a process."""
    source, tests = Path(densedepth.__file__).parents[1], Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{tests}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "train", *map(str, words)]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def finish(*words: object) -> str:
    """Run it to its end; returns what it says."""
    process = start(*words)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return out + error


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "best" / "model.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def rows(out: Path) -> list[dict[str, str]]:
    """metrics.csv without the clock."""
    with (out / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "images_per_s"} for row in csv.DictReader(file)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
