"""The training command: recipe in, run folder out.

A run folder holds ``config.yaml`` (the resolved recipe), ``logs/`` (a csv for every start), ``last.ckpt`` (everything a
later start needs to go on) and ``best/`` (the weights to use, see :mod:`densedepth.models.checkpoint`).
"""

from __future__ import annotations

import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger

from densedepth.errors import DenseDepthError
from densedepth.io import replacing
from densedepth.models import DenseDepth, WeightsUnavailableError, load_checkpoint, save_checkpoint
from densedepth.training.config import DataConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.loader import DepthData
from densedepth.training.module import DepthModule

DEFAULT_MODEL, DEFAULT_LOSS, DEFAULT_OPTIM = ModelConfig(), LossConfig(), OptimConfig()


def train(
    *,
    data: DataConfig,
    model: ModelConfig = DEFAULT_MODEL,
    loss: LossConfig = DEFAULT_LOSS,
    optim: OptimConfig = DEFAULT_OPTIM,
    out: Path = Path("runs/train"),
    epochs: int = 20,
    max_steps: int = -1,
    batch_size: int = 8,
    seed: int = 0,
    validate_every: int = 1,
    precision: str = "32-true",
    channels_last: bool = True,
    select: Literal["best", "last"] = "best",
    init_from: str | None = None,
    fresh: bool = False,
) -> Path:
    """Train a network and leave its weights in OUT/best.

    Args:
        data: the frames.
        model: the network.
        loss: the loss.
        optim: the optimiser.
        out: run folder; a run that was interrupted goes on from its last checkpoint.
        epochs: passes over the training frames.
        max_steps: stop after so many steps; -1 = no limit.
        batch_size: frames per step.
        seed: of the weights, the order of the frames and the augmentation.
        validate_every: epochs between two validations.
        precision: Lightning's name of the arithmetic, such as 32-true or bf16-mixed.
        channels_last: memory layout; faster for convolutions on most processors.
        select: keep the weights with the best validation delta1, or the last ones.
        init_from: checkpoint folder whose weights to start from, instead of ImageNet's.
        fresh: begin anew even if the run folder holds a checkpoint.
    """
    run = out
    pl.seed_everything(seed, workers=True, verbose=False)
    frames = DepthData(data, batch_size, seed)
    model, net = _from_imagenet(model) if init_from is None else _from_checkpoint(model, init_from)
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
    module = DepthModule(net, loss, optim)
    resume = run / "last.ckpt"
    if fresh:
        resume.unlink(missing_ok=True)

    recipe = {
        "data": asdict(data),
        "model": asdict(model),
        "loss": asdict(loss),
        "optim": asdict(optim),
        "epochs": epochs,
        "max_steps": max_steps,
        "batch_size": batch_size,
        "seed": seed,
        "validate_every": validate_every,
        "precision": precision,
        "channels_last": channels_last,
        "select": select,
        "init_from": init_from,
    }
    run.mkdir(parents=True, exist_ok=True)
    _write_yaml(run / "config.yaml", recipe)
    info = {
        "training_data": (
            f"{data.dataset}, training part: {len(frames.train_frames)} frames, "
            f"{len(frames.validation_frames)} more held out by scene for validation"
        ),
        "camera": None if frames.camera is None else frames.camera.to_dict(),
    }
    validates = len(frames.validation_frames) > 0
    # Lightning's hints about other products and the hardware; the line below says what matters.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    trainer = pl.Trainer(
        max_epochs=epochs,
        max_steps=max_steps,
        precision=precision,  # type: ignore[arg-type]
        gradient_clip_val=optim.clip_norm or None,
        check_val_every_n_epoch=validate_every,
        num_sanity_val_steps=0,
        limit_val_batches=None if validates else 0,
        callbacks=[
            SaveBest(run / "best", info, by="val_delta1" if validates and select == "best" else None),
            ModelCheckpoint(dirpath=run, filename="last", enable_version_counter=False, save_on_train_epoch_end=True),
            TQDMProgressBar(refresh_rate=1),
        ],
        logger=CSVLogger(run, name="logs"),
        log_every_n_steps=10,
        enable_model_summary=False,
    )
    print(
        f"{len(frames.train_frames)} training and {len(frames.validation_frames)} validation frames, "
        f"{sum(p.numel() for p in module.net.parameters()):,} parameters on {trainer.strategy.root_device}, "
        f"run folder {run}" + (f", going on from {resume.name}" if resume.exists() else "")
    )
    trainer.fit(module, datamodule=frames, ckpt_path=str(resume) if resume.exists() else None)
    print(f"weights: {run / 'best'}; next: densedepth export {run} {run / 'model.onnx'}")
    return run


class SaveBest(pl.Callback):
    """Keeps the weights with the highest validation metric ``by``; without one, the newest."""

    def __init__(self, folder: Path, info: dict[str, Any], by: str | None) -> None:
        self.folder = folder
        self.info = info
        self.by = by
        self.best = float("-inf")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.by is None:
            return
        value = float(trainer.callback_metrics[self.by])
        if value > self.best:
            self.best = value
            self._save(trainer, module)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.by is None:
            self._save(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # A run too short for a validation must leave weights behind, too.
        if self.by is not None and self.best == float("-inf"):
            self._save(trainer, module)

    def _save(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, DepthModule)
        validation = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val_")}
        info = {
            **self.info,
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "validation": validation,
        }
        save_checkpoint(module.best_net, self.folder, info)


def _from_imagenet(model: ModelConfig) -> tuple[ModelConfig, DenseDepth]:
    """The network of the recipe with a random decoder, and the recipe with ``pretrained: auto`` decided."""
    if model.pretrained == "auto":
        try:
            return _from_imagenet(replace(model, pretrained=True))
        except WeightsUnavailableError as error:
            print(f"WARNING: the encoder starts from RANDOM weights, expect far worse depth. {error}", file=sys.stderr)
            return _from_imagenet(replace(model, pretrained=False))
    return model, DenseDepth(**asdict(model))


def _from_checkpoint(model: ModelConfig, init_from: str) -> tuple[ModelConfig, DenseDepth]:
    """The network of the recipe with the weights of ``init_from``, and the recipe without ImageNet's."""
    model = replace(model, pretrained=False)
    net = DenseDepth(**asdict(model))
    other, _ = load_checkpoint(init_from)
    ours, theirs = net.architecture.to_dict(), other.architecture.to_dict()
    for switch, value in ours.items():
        if theirs[switch] != value:
            raise DenseDepthError(
                f"{init_from} was trained with model.{switch} = {theirs[switch]}, the recipe says {value}: "
                "make them agree"
            )
    net.load_state_dict(other.state_dict())
    return model, net


def _write_yaml(path: Path, recipe: dict[str, Any]) -> None:
    # Through JSON types: tuples would come out as python-specific tags.
    recipe["model"]["depth_range_m"] = list(recipe["model"]["depth_range_m"])
    with replacing(path) as beside:
        beside.write_text(yaml.safe_dump(recipe, sort_keys=False))
