"""A whole recipe as one typed object: what a YAML file holds and what the command line's flags are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

import yaml

from densedepth.errors import DenseDepthError
from densedepth.training.config import DataConfig, EngineConfig, LossConfig, ModelConfig, OptimConfig

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
Result = TypeVar("Result")

_MODEL, _LOSS, _OPTIM, _ENGINE = ModelConfig(), LossConfig(), OptimConfig(), EngineConfig()

#: Where and whether a run goes on is no part of what it does.
_NOT_SAVED = ("out", "fresh")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Train a network and leave its weights in OUT/best.

    Args:
        data: the frames.
        model: the network.
        loss: the loss.
        optim: the optimiser.
        engine: processes, checkpoints and logs.
        out: run folder; a run that was interrupted goes on from its last checkpoint.
        epochs: passes over the training frames.
        max_steps: stop after so many steps; -1 = no limit.
        batch_size: frames per step, over all devices and parts together; "auto" is 8 on a CPU and up to 32 on a GPU,
            fewer for few frames.
        seed: of the weights, the order of the frames and the augmentation.
        validate_every: epochs between two validations.
        precision: of the arithmetic: 32-true, bf16-mixed or 16-mixed; auto is bf16-mixed on a GPU that has it.
        channels_last: memory layout; faster for convolutions on most processors.
        select: keep the weights with the best validation delta1, or the last ones.
        init_from: shipped model, bundle (.onnx), checkpoint or run folder whose weights to start from, instead of
            ImageNet's.
        deliver: at the end write the bundle RUN/model.onnx, measure it on the validation frames, and write
            RUN/validation.json and RUN/report/.
        fresh: begin anew even if the run folder holds a checkpoint; its checkpoints, weights, metrics, bundle and
            report are deleted.
    """

    data: DataConfig
    model: ModelConfig = _MODEL
    loss: LossConfig = _LOSS
    optim: OptimConfig = _OPTIM
    engine: EngineConfig = _ENGINE
    out: Path = Path("runs/train")
    epochs: int = 20
    max_steps: int = -1
    batch_size: int | Literal["auto"] = 8
    seed: int = 0
    validate_every: int = 1
    precision: Precision = "auto"
    channels_last: bool = True
    select: Literal["best", "last"] = "best"
    init_from: str | None = None
    deliver: bool = False
    fresh: bool = False

    def check(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            DenseDepthError: names the first key whose value makes no sense.
        """
        data, optim, engine = self.data, self.optim, self.engine
        parts = engine.devices * engine.nodes * optim.accumulate
        for key, fine, wanted in (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("max_steps", self.max_steps == -1 or self.max_steps >= 1, "at least 1, or -1 for no limit"),
            ("batch_size", self.batch_size == "auto" or self.batch_size >= 1, "at least 1, or auto"),
            ("seed", self.seed >= 0, "at least 0"),
            ("validate_every", self.validate_every >= 1, "at least 1"),
            ("data.height", data.height >= 32 and data.height % 32 == 0, "a multiple of 32"),
            ("data.width", data.width >= 32 and data.width % 32 == 0, "a multiple of 32"),
            ("data.workers", data.workers >= 0, "at least 0"),
            ("data.also", all(part.per_epoch >= 1 for part in data.also), "of per_epoch at least 1, each"),
            ("data.augment.max_zoom", data.augment.max_zoom >= 1, "at least 1"),
            ("data.augment.rotation_deg", data.augment.rotation_deg >= 0, "at least 0"),
            ("data.augment.colour", data.augment.colour >= 0, "at least 0"),
            ("optim.lr", optim.lr == "auto" or optim.lr > 0, "above 0, or auto"),
            ("optim.encoder_lr_factor", optim.encoder_lr_factor >= 0, "at least 0"),
            ("optim.freeze_encoder_epochs", optim.freeze_encoder_epochs >= 0, "at least 0"),
            ("optim.weight_decay", optim.weight_decay >= 0, "at least 0"),
            ("optim.warmup_steps", (optim.warmup_steps or 0) >= 0, "at least 0"),
            ("optim.plateau_patience", optim.plateau_patience >= 1, "at least 1"),
            ("optim.plateau_factor", 0 < optim.plateau_factor < 1, "between 0 and 1"),
            ("optim.accumulate", optim.accumulate >= 1, "at least 1"),
            ("optim.clip_norm", optim.clip_norm >= 0, "at least 0"),
            ("optim.ema_decay", 0 <= optim.ema_decay < 1, "from 0 to below 1"),
            ("engine.devices", engine.devices >= 1, "at least 1"),
            ("engine.nodes", engine.nodes >= 1, "at least 1"),
            ("engine.checkpoint_every_steps", engine.checkpoint_every_steps >= 0, "at least 0"),
            ("engine.checkpoint_every_minutes", engine.checkpoint_every_minutes >= 0, "at least 0"),
            ("engine.early_stopping", engine.early_stopping >= 0, "at least 0"),
            ("engine.log_every", engine.log_every >= 1, "at least 1"),
            ("engine.pictures", engine.pictures >= 0, "at least 0"),
        ):
            if not fine:
                raise DenseDepthError(f"--{key} is {self._value(key)}, it must be {wanted}")
        if self.batch_size != "auto" and self.batch_size % parts:
            raise DenseDepthError(
                f"--batch_size {self.batch_size} cannot be shared by {engine.devices * engine.nodes} devices in "
                f"{optim.accumulate} parts each: make it a multiple of {parts}"
            )
        if engine.grad_checkpointing and engine.compile is True:
            raise DenseDepthError("--engine.grad_checkpointing does not go with --engine.compile true: drop one")

    def to_yaml(self) -> str:
        """Text of a recipe file that makes the same run elsewhere."""
        values = {key: value for key, value in asdict(self).items() if key not in _NOT_SAVED}
        # Plain YAML: a tuple would come out as a python-specific tag.
        values["model"]["depth_range_m"] = list(values["model"]["depth_range_m"])
        text: str = yaml.safe_dump(values, sort_keys=False)
        return text

    def _value(self, key: str) -> Any:
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value


def takes_fields(function: Callable[[Recipe], Result]) -> Callable[..., Result]:
    """`function(recipe)` as `function(**fields of the recipe)`: the form of a command."""

    def spread(**fields: Any) -> Result:
        return function(Recipe(**fields))

    spread.__name__, spread.__module__ = function.__name__, function.__module__
    spread.__doc__ = Recipe.__doc__
    spread.__annotations__ = get_type_hints(Recipe)
    spread.__signature__ = inspect.signature(Recipe)  # type: ignore[attr-defined]
    return spread
