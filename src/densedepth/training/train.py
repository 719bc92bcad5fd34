"""The training command: recipe in, run folder out. docs/training.md says what a run folder holds.

Lightning Fabric brings devices, processes and precision. The loop is here, because a run that is killed anywhere must
go on, bit by bit, as if it had not been: where it is are two numbers, epochs and steps done.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from densedepth.errors import DenseDepthError
from densedepth.io import replacing
from densedepth.models import DenseDepth, save_checkpoint
from densedepth.training.checkpoints import Checkpoints, Loaded, reported
from densedepth.training.deliver import BUNDLE, REPORT, RESULT, deliver
from densedepth.training.guard import BAD_BATCH, LossGuard, Reported
from densedepth.training.loader import DepthData
from densedepth.training.logs import CSV, Pictures, RunLog
from densedepth.training.parallel import build_fabric, compiles, end_others, launch, precision_of
from densedepth.training.progress import Progress
from densedepth.training.recipe import Recipe, takes_fields
from densedepth.training.session import Session
from densedepth.training.start import changes, check_same_run, first_network, identity, say, settled
from densedepth.training.stopping import StopSignals

OF_A_RUN = ("checkpoints", "best", ".best-old", "tensorboard", CSV, BAD_BATCH, BUNDLE, RESULT, REPORT)
"""What a run folder holds that belongs to the weights of one run, or was made of them."""


@takes_fields
def train(recipe: Recipe) -> Path:
    """Train by ``recipe``; returns the run folder.

    Raises:
        DenseDepthError: the recipe, the data or the disk does not allow it.
        SystemExit: a signal ended the run; all is saved, the status is 130 or 143.
    """
    recipe.check()
    torch.manual_seed(recipe.seed)
    fabric = build_fabric(recipe)
    data = DepthData(recipe.data, recipe.batch_size, recipe.seed)
    recipe = settled(recipe, data, recipe.engine.devices * recipe.engine.nodes)
    checkpoints = Checkpoints(recipe.out / "checkpoints")
    last = None if recipe.fresh else checkpoints.load()
    model, net = first_network(recipe.model, recipe.init_from, last)
    engine = replace(recipe.engine, compile=compiles(recipe))
    recipe = replace(recipe, model=model, engine=engine, precision=precision_of(recipe))
    launch(fabric)
    with end_others(fabric), StopSignals() as signals:
        Run(recipe, fabric, data, net, checkpoints, signals).go(last)
    return recipe.out


class Run:
    """A run in its folder: goes on from the last checkpoint, trains, validates, saves and logs."""

    def __init__(
        self,
        recipe: Recipe,
        fabric: Fabric,
        data: DepthData,
        net: DenseDepth,
        checkpoints: Checkpoints,
        signals: StopSignals,
    ) -> None:
        self.recipe, self.fabric, self.data, self.checkpoints, self.signals = recipe, fabric, data, checkpoints, signals
        self.folder = recipe.out
        self.first = fabric.is_global_zero
        data.share(fabric.global_rank, fabric.world_size)
        self.validates = len(data.validation_frames) > 0
        if not self.validates and (recipe.optim.schedule == "plateau" or recipe.engine.early_stopping):
            raise DenseDepthError(
                "plateau and early stopping need validation frames: set --data.validation_fraction above 0"
            )
        if recipe.engine.grad_checkpointing:
            net.encoder.checkpoint_gradients()
        self.session = Session(recipe, fabric, net, data.steps_per_epoch)
        self.guard = LossGuard(data, self.folder, lag=int(fabric.device.type == "cuda"), writes=self.first)
        self.identity = identity(recipe, len(data.train_frames))
        self.stopping = False

    def go(self, last: Loaded | None) -> None:
        """Train to the end, from the checkpoint ``last`` on if there is one."""
        session, recipe = self.session, self.recipe
        rows = self._resume(last)
        self._announce(last)
        if not session.done:
            self._train(rows)
        if not recipe.deliver:
            say(f"weights: {self.folder / 'best'}; next: densedepth export {self.folder} {self.folder / 'model.onnx'}")
        elif self.first:
            deliver(self.folder, self.data.validation_frames, recipe.data.dataset)

    def _train(self, rows: int) -> None:
        """From here to the end; ``rows`` lines of metrics.csv hold."""
        session, recipe = self.session, self.recipe
        self.saved = time.monotonic(), session.step
        self.log = RunLog(self.folder, recipe.engine.loggers, session.step, rows) if self.first else None
        self.progress = Progress(session.step, session.total_steps, recipe.epochs, self.data.batch_size, self.first)
        try:
            while not session.done:
                self._train_epoch()
                if not self.stopping:
                    self._end_epoch()
                if self.stopping:
                    self._stop()
        finally:
            self.progress.close()
            if self.log:
                self.log.close()

    def _train_epoch(self) -> None:
        """The steps of this epoch that are not done yet."""
        session = self.session
        session.begin_epoch()
        first = session.step - session.epoch * session.steps_per_epoch
        if session.at_epoch_end:
            return  # only its validation was missing
        for batch in self.data.train_batches(session.epoch, first):
            report = session.train_step(batch, bool(self.signals))
            self._note(self.guard.put(session.step - 1, report))
            if self.stopping or session.step >= session.total_steps:
                break
            if self._checkpoint_is_due() and not session.at_epoch_end:
                self._save()
        self._note(self.guard.flush())

    def _end_epoch(self) -> None:
        """Validate if it is time, keep the weights if they are good, and make a checkpoint."""
        session, recipe = self.session, self.recipe
        whole = session.at_epoch_end
        ends = session.step >= session.total_steps
        scheduled = whole and (session.epoch + 1) % recipe.validate_every == 0
        metrics: dict[str, float] | None = None
        if self.validates and (scheduled or ends):
            pictures = Pictures(recipe.engine.pictures if self.first else 0)
            metrics = session.validate(self.data, lambda: bool(self.signals), pictures.look)
            if metrics is None:
                self.stopping = True
                return
            if session.frames_without_depth:
                say(
                    f"WARNING: {session.frames_without_depth} of {len(self.data.validation_frames)} validation frames "
                    "have no pixel with depth and do not count",
                    warning=True,
                )
            if self.log:
                self.log.show(session.step, pictures.drawn)
        better = metrics is not None and session.judge(metrics["delta1"], scheduled)
        if whole:
            session.epoch += 1
        self._log_epoch(metrics)
        if better or recipe.select == "last" or not self.validates:
            self._keep(metrics)
        self._save()
        self.progress.lap()

    def _note(self, reports: list[Reported]) -> None:
        """Take what steps reported into the log, the bar and the sums."""
        session = self.session
        for report in reports:
            session.sums = {
                "loss": session.sums["loss"] + report.loss,
                "delta1": session.sums["delta1"] + report.delta1,
                "steps": session.sums["steps"] + 1,
                "epoch_loss": session.sums["epoch_loss"] + report.loss,
                "epoch_steps": session.sums["epoch_steps"] + 1,
            }
            self.stopping = self.stopping or report.stop
            self.progress.step(session.epoch, report.loss, report.delta1)
            if (report.step + 1) % self.recipe.engine.log_every == 0 and self.log:
                self.log.write(report.step + 1, session.epoch, self._means())
                session.sums |= {"loss": 0.0, "delta1": 0.0, "steps": 0}

    def _means(self) -> dict[str, float]:
        sums = self.session.sums
        means = {f"train_{name}": sums[name] / sums["steps"] for name in ("loss", "delta1")}
        return means | self.session.learning_rates | {"images_per_s": round(self.progress.images_per_second, 2)}

    def _log_epoch(self, metrics: dict[str, float] | None) -> None:
        session = self.session
        loss = session.sums["epoch_loss"] / max(session.sums["epoch_steps"], 1)
        session.sums |= {"epoch_loss": 0.0, "epoch_steps": 0}
        self.progress.epoch(session.epoch, session.step, loss, metrics)
        if self.log:
            validation = {f"val_{name}": value for name, value in (metrics or {}).items()}
            self.log.write(session.step, session.epoch, {"train_loss_epoch": loss, **validation})

    def _checkpoint_is_due(self) -> bool:
        engine, (since, step) = self.recipe.engine, self.saved
        by_steps = 0 < engine.checkpoint_every_steps <= self.session.step - step
        return by_steps or 0 < engine.checkpoint_every_minutes * 60 <= time.monotonic() - since

    def _save(self) -> None:
        """A checkpoint of here and now."""
        self._note(self.guard.flush())
        self.saved = time.monotonic(), self.session.step
        if self.log:
            state = {**self.session.state_dict(), "rows": self.log.rows}
            state |= {"identity": self.identity, "pretrained": self.recipe.model.pretrained}
            self.checkpoints.save(self.session.best_net, state, self._info(None))

    def _keep(self, metrics: dict[str, float] | None) -> None:
        """The weights to use, with the recipe beside them."""
        if not self.first:
            return
        best = self.folder / "best"
        with reported(f"weights {best}", "the ones before, if any, are still there"):
            save_checkpoint(
                self.session.best_net, best, self._info(metrics), files={"config.yaml": self.recipe.to_yaml()}
            )

    def _info(self, metrics: dict[str, float] | None) -> dict[str, Any]:
        frames, config = self.data, self.recipe.data
        return {
            "training_data": (
                f"{config.dataset}, training part: {len(frames.train_frames)} frames, "
                f"{len(frames.validation_frames)} more held out by scene for validation"
            )
            + "".join(
                f"; {part.dataset} {Path(part.root).name}: {len(more)} frames"
                for part, more in zip(config.also, frames.also, strict=True)
            ),
            "camera": None if frames.camera is None else frames.camera.to_dict(),
            "epoch": self.session.epoch,
            "step": self.session.step,
            "validation": {f"val_{name}": value for name, value in (metrics or {}).items()},
        }

    def _resume(self, last: Loaded | None) -> int:
        """Go back to where ``last`` was made; returns the lines of metrics.csv at that time."""
        if last is not None:
            check_same_run(self.identity, last.state["identity"], str(self.folder))
            self.session.load_state_dict(last.state, last.net.state_dict())
            return int(last.state["rows"])
        if self.recipe.fresh and self.first:
            for name in OF_A_RUN:
                path = self.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return 0

    def _announce(self, last: Loaded | None) -> None:
        session, data = self.session, self.data
        config, text = self.folder / "config.yaml", self.recipe.to_yaml()
        if last is not None and config.exists() and (changed := changes(config.read_text(), text)):
            say(f"NOTE: other than when the run was started: {', '.join(changed)}", warning=True)
        if self.first:
            with replacing(config) as beside:
                beside.write_text(text)
        parameters = sum(p.numel() for p in session.module.net.parameters())
        processes = f" in {self.fabric.world_size} processes" if self.fabric.world_size > 1 else ""
        going_on = f", going on from {last.folder.name}" if last else ""
        say(
            f"{len(data.train_frames)} training and {len(data.validation_frames)} validation frames, "
            f"{parameters:,} parameters on {self.fabric.device}{processes} in {self.recipe.precision}, "
            f"run folder {self.folder}{going_on}{': nothing left to do' if session.done else ''}"
        )

    def _stop(self) -> None:
        self._save()
        self.fabric.barrier()
        if not self.first:
            raise SystemExit(0)
        say(
            f"stopped at step {self.session.step} of {self.session.total_steps} by {self.signals.known.name}; "
            f"all is saved in {self.folder}: the same command goes on from here",
            warning=True,
        )
        raise SystemExit(128 + self.signals.known)
