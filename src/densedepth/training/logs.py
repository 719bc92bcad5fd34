"""Where the numbers and pictures of a run go: RUN/metrics.csv always, and Lightning's loggers by name."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from densedepth.errors import DenseDepthError
from densedepth.io import replacing
from densedepth.io.color import colorize
from densedepth.metrics import METRIC_NAMES
from densedepth.training.loader import Batch

CSV = "metrics.csv"
COLUMNS = (
    *("step", "epoch", "train_loss", "train_delta1", "lr_encoder", "lr_decoder", "images_per_s", "train_loss_epoch"),
    *(f"val_{name}" for name in METRIC_NAMES),
)


class RunLog:
    """The logs of one run. A run that goes on cuts them back to its checkpoint, so that no step stands there twice.

    Args:
        run: run folder.
        loggers: "tensorboard", "wandb", "mlflow".
        step: the step from which the run goes on.
        rows: lines that metrics.csv had then.
    """

    def __init__(self, run: Path, loggers: Sequence[str], step: int, rows: int) -> None:
        self.rows = rows
        self._path = run / CSV
        kept = self._path.read_text().splitlines(keepends=True)[: rows + 1] if rows and self._path.exists() else []
        with replacing(self._path) as beside:
            beside.write_text("".join(kept) or ",".join(COLUMNS) + "\n")
        self._loggers = [_logger(name, run, step) for name in loggers]

    def write(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """One line; columns that ``values`` lacks stay empty."""
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow({"step": step, "epoch": epoch, **values})
        self.rows += 1
        for logger in self._loggers:
            logger.log_metrics({"epoch": float(epoch), **values}, step)

    def show(self, step: int, pictures: Sequence[Image.Image]) -> None:
        """Show validation frames where there is a place for pictures."""
        for logger in self._loggers:
            if type(logger).__name__ == "TensorBoardLogger":
                for number, picture in enumerate(pictures):
                    logger.experiment.add_image(f"validation/{number}", np.asarray(picture), step, dataformats="HWC")
            elif pictures and type(logger).__name__ == "WandbLogger":
                logger.log_image("validation", list(pictures), step)

    def close(self) -> None:
        for logger in self._loggers:
            logger.finalize("success")


def picture(image: np.ndarray, truth_m: np.ndarray, predicted_m: np.ndarray) -> Image.Image:
    """Photo, truth and prediction side by side at the size of depth; both depths in the colours of the truth.

    Args:
        image: uint8 (2H, 2W, 3).
        truth_m: (H, W) metres, 0 = no depth, black.
        predicted_m: (H, W) metres.
    """
    height, width = truth_m.shape
    known = truth_m[truth_m > 0]
    near_m, far_m = (float(known.min()), float(known.max())) if known.size else (None, None)
    sheet = Image.new("RGB", (3 * width, height))
    sheet.paste(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
    for place, depth_m in enumerate((truth_m, predicted_m), start=1):
        sheet.paste(colorize(depth_m, near_m, far_m), (place * width, 0))
    return sheet


class Pictures:
    """The first validation frames as pictures: photo, truth, prediction."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.drawn: list[Image.Image] = []

    def look(self, batch: Batch, depth_m: Tensor) -> None:
        """Draw frames of a batch until there are enough; ``depth_m`` is what the network says of them."""
        for image, truth_m, predicted_m in zip(batch["image"], batch["depth_m"], depth_m, strict=True):
            if len(self.drawn) == self.wanted:
                return
            self.drawn.append(
                picture(image.permute(1, 2, 0).numpy(), truth_m[0].numpy(), predicted_m[0].float().numpy())
            )


def _logger(name: str, run: Path, step: int) -> Any:
    from lightning.pytorch import loggers

    # The same run in the service's eyes whenever it goes on.
    label = "-".join(run.resolve().parts[-2:]).strip("/-")
    try:
        if name == "tensorboard":
            return loggers.TensorBoardLogger(run, name="tensorboard", version="", purge_step=step + 1)
        if name == "wandb":
            return loggers.WandbLogger(name=label, save_dir=run, project="densedepth", id=label, resume="allow")
        return loggers.MLFlowLogger(experiment_name="densedepth", run_name=label, save_dir=str(run / "mlruns"))
    except ModuleNotFoundError:
        raise DenseDepthError(f"--engine.loggers {name}: the package is not installed: pip install {name}") from None
