"""What a run starts from: ImageNet's weights, those of a checkpoint, or its own last ones."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.fabric.utilities.rank_zero import rank_zero_only

from densedepth.errors import DenseDepthError
from densedepth.models import DenseDepth, WeightsUnavailableError, load_checkpoint, read_bundle
from densedepth.runtime.zoo import BUNDLES_DIR, available
from densedepth.training.checkpoints import Loaded
from densedepth.training.config import ModelConfig
from densedepth.training.loader import DepthData
from densedepth.training.recipe import Recipe


def first_network(model: ModelConfig, init_from: str | None, last: Loaded | None) -> tuple[ModelConfig, DenseDepth]:
    """The network of a recipe with the weights to start from, and its part of the recipe with ``auto`` decided.

    A run that goes on from ``last`` needs neither ImageNet's weights nor ``init_from`` again.

    Raises:
        DenseDepthError: ``init_from`` or ``last`` is another network; names the switch.
    """
    if last is None:
        return from_imagenet(model) if init_from is None else _from_checkpoint(model, init_from)
    net = DenseDepth(**asdict(replace(model, pretrained=False)))
    check_same_network(net, last.net, str(last.folder))
    return replace(model, pretrained=last.state["pretrained"]), net


def from_imagenet(model: ModelConfig) -> tuple[ModelConfig, DenseDepth]:
    """The network with a random decoder, and the recipe with ``pretrained: auto`` decided."""
    if model.pretrained == "auto":
        try:
            return from_imagenet(replace(model, pretrained=True))
        except WeightsUnavailableError as error:
            say(f"WARNING: the encoder starts from RANDOM weights, expect far worse depth. {error}", warning=True)
            return from_imagenet(replace(model, pretrained=False))
    return model, DenseDepth(**asdict(model))


def _from_checkpoint(model: ModelConfig, init_from: str) -> tuple[ModelConfig, DenseDepth]:
    """The network with the weights of ``init_from``, and the recipe without ImageNet's."""
    model = replace(model, pretrained=False)
    net = DenseDepth(**asdict(model))
    other = _trained(init_from)
    # The expected error can begin at random or be left out: the depth is the same with and without it.
    check_same_network(net, other, init_from, but_for=("uncertainty",))
    differing = net.load_state_dict(other.state_dict(), strict=False)
    keys = [*differing.missing_keys, *differing.unexpected_keys]
    assert all(key.startswith("decoder.uncertainty.") for key in keys), keys
    return model, net


def _trained(name: str) -> DenseDepth:
    """The network of a checkpoint folder, a run folder, a bundle or a shipped bundle's name."""
    if name in available():
        return read_bundle(BUNDLES_DIR / f"{name}.onnx")[0]
    return (read_bundle(name) if Path(name).suffix == ".onnx" else load_checkpoint(name))[0]


def settled(recipe: Recipe, data: DepthData, processes: int) -> Recipe:
    """The recipe with ``auto`` batch size and learning rate decided; ``data`` makes batches of that size.

    The batch is 8 on a CPU and up to 32 on a GPU, but leaves 8 steps in an epoch. The rate goes with its square root
    from 2.5e-4 at 8, which is what the networks of this package bear (docs/nyu-bundle.md; higher ones end in noise).
    """
    batch_size, lr = recipe.batch_size, recipe.optim.lr
    if batch_size == "auto":
        parts = processes * recipe.optim.accumulate
        most = min(32 if torch.cuda.is_available() else 8, len(data.train_frames) // 8)
        batch_size = max(most // parts, 1) * parts
        data.batch(batch_size)
    if lr == "auto":
        lr = round(2.5e-4 * math.sqrt(batch_size / 8), 6)
    if "auto" in (recipe.batch_size, recipe.optim.lr):
        say(f"chosen: batch_size {batch_size}, optim.lr {lr:g}")
    return replace(recipe, batch_size=batch_size, optim=replace(recipe.optim, lr=lr))


def check_same_network(ours: DenseDepth, theirs: DenseDepth, where: str, but_for: Collection[str] = ()) -> None:
    """Refuse weights of another architecture, but for the switches ``but_for``.

    Raises:
        DenseDepthError: names the first switch that differs.
    """
    trained = theirs.architecture.to_dict()
    for switch, value in ours.architecture.to_dict().items():
        if trained[switch] != value and switch not in but_for:
            raise DenseDepthError(
                f"{where} was trained with model.{switch} = {trained[switch]}, the recipe says {value}: make them agree"
            )


def identity(recipe: Recipe, frames: int) -> dict[str, Any]:
    """What a run that goes on cannot change without being another one."""
    return {
        "seed": recipe.seed,
        "batch_size": recipe.batch_size,
        "training frames": frames,
        **({"data.also": [part.per_epoch for part in recipe.data.also]} if recipe.data.also else {}),
        "data.validation_fraction": recipe.data.validation_fraction,
        "data.split_seed": recipe.data.split_seed,
        "optim.name": recipe.optim.name,
        "optim.keras_epsilon": recipe.optim.keras_epsilon,
        "optim.ema_decay > 0": recipe.optim.ema_decay > 0,
    }


def check_same_run(now: dict[str, Any], then: dict[str, Any], where: str) -> None:
    """Refuse to go on with another recipe.

    Raises:
        DenseDepthError: names the first key that differs.
    """
    for key, value in now.items():
        if then.get(key) != value:
            raise DenseDepthError(
                f"{where} was started with {key} = {then.get(key)}, this command says {value}: "
                "make them agree, take another --out, or begin anew with --fresh"
            )


def changes(before: str, now: str) -> list[str]:
    """Keys of two recipe files whose values differ, as "optim.lr 0.001 -> 0.0005"."""
    old, new = _flat(yaml.safe_load(before)), _flat(yaml.safe_load(now))
    return [f"{key} {old.get(key)} -> {value}" for key, value in new.items() if old.get(key) != value]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


@rank_zero_only
def say(text: str, *, warning: bool = False) -> None:
    """One line, of one process only."""
    print(text, file=sys.stderr if warning else sys.stdout, flush=True)
