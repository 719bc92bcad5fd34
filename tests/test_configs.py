"""Every recipe in configs/ is one that `densedepth train` takes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from densedepth.commands.arguments import parser_for
from densedepth.models import DenseDepth
from densedepth.training.config import DataConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.module import build_loss
from densedepth.training.train import train

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RECIPES = sorted([*CONFIGS.rglob("*.yaml"), *CONFIGS.rglob("*.yml")])


def parsed(path: Path, *words: str) -> dict[str, Any]:
    parser = parser_for(train, "densedepth train")
    return vars(parser.instantiate(parser.parse_args(["--config", str(path), *words])))


def test_there_are_recipes() -> None:
    assert len([path for path in RECIPES if parsed(path)]) == len(RECIPES) > 0


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe(path: Path) -> None:
    values = parsed(path, "--data.root", "elsewhere", "--optim.lr", "0.5")
    data, model, loss, optim = (values[name] for name in ("data", "model", "loss", "optim"))
    assert (type(data), type(model), type(loss), type(optim)) == (DataConfig, ModelConfig, LossConfig, OptimConfig)
    assert (data.root, optim.lr) == ("elsewhere", 0.5), "flags overrule the file"
    assert data.height % 32 == data.width % 32 == 0
    with torch.device("meta"):
        net = DenseDepth(**{**asdict(model), "pretrained": False})
    build_loss(loss, net)
