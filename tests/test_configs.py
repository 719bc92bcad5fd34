"""Every recipe in configs/ is one that `densedepth train` takes, and every key of a recipe is documented."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch

from densedepth.commands.arguments import parser_for
from densedepth.data import AugmentConfig
from densedepth.models import DenseDepth
from densedepth.training.config import DataConfig, EngineConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.module import build_loss
from densedepth.training.recipe import Recipe
from densedepth.training.train import train

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RECIPES = sorted([*CONFIGS.rglob("*.yaml"), *CONFIGS.rglob("*.yml")])


def parsed(path: Path, *words: str) -> dict[str, Any]:
    parser = parser_for(train, "densedepth train")
    values: dict[str, Any] = vars(parser.instantiate(parser.parse_args(["--config", str(path), *words])))
    return values


def test_there_are_recipes() -> None:
    assert len([path for path in RECIPES if parsed(path)]) == len(RECIPES) > 0


def groups(kind: type) -> list[type]:
    """A configuration class and those inside it."""
    inner = [hint for hint in get_type_hints(kind).values() if isinstance(hint, type) and is_dataclass(hint)]
    return [kind, *(group for hint in inner for group in groups(hint))]


@pytest.mark.parametrize("group", groups(Recipe), ids=lambda group: group.__name__)
def test_every_key_is_documented(group: type) -> None:
    documented = re.findall(r"^ {8}(\w+): \S", group.__doc__ or "", re.MULTILINE)
    assert sorted(documented) == sorted(field.name for field in fields(group))


def test_help_says_what_every_key_is(capsys: pytest.CaptureFixture[str]) -> None:
    parser = parser_for(train, "densedepth train")
    helps = {action.dest: action.help for action in parser._actions}
    keys = [field.name for field in fields(Recipe)]
    keys += [f"engine.{field.name}" for field in fields(EngineConfig)]
    keys += [f"data.augment.{field.name}" for field in fields(AugmentConfig)]
    assert len(keys) > 25
    assert all(helps[key] for key in keys if key not in ("data", "model", "loss", "optim", "engine"))
    assert "within an epoch" in str(helps["engine.checkpoint_every_steps"])


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
