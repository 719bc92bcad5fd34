"""Checkpoints to go on from: RUN/checkpoints/epoch-EEEE-step-SSSSSSSS, each a folder with the weights to use
(``model.safetensors``, ``model.json``), everything else (``training.pt``) and ``complete.json``, the sizes and sums of
the other files.

A checkpoint is written beside the others and then named, and the one before it is kept until it is followed by two. So
there is always a whole one, whenever the process or the disk gives up, and one that is not whole is never loaded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from densedepth.errors import DenseDepthError
from densedepth.io.opening import first_line
from densedepth.models import DenseDepth, load_checkpoint
from densedepth.models.checkpoint import write_checkpoint

TRAINING = "training.pt"
COMPLETE = "complete.json"
KEPT = 2


class Loaded(NamedTuple):
    """A checkpoint: where it is, the network to use, and everything else."""

    folder: Path
    net: DenseDepth
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damaged: list[Path] = []

    def load(self) -> Loaded | None:
        """The newest whole one, or None if there are none.

        A damaged one is named on stderr, and the one before it is taken.

        Raises:
            DenseDepthError: all of them are damaged.
        """
        self._damaged = []
        for folder in self._newest_first():
            try:
                _check(folder)
                net, _ = load_checkpoint(folder)
                state = torch.load(folder / TRAINING, map_location="cpu", weights_only=True)
            except Exception as error:  # whatever a damaged file makes of its reader
                print(f"WARNING: {folder} is damaged ({first_line(error)}) and not used", file=sys.stderr)
                self._damaged.append(folder)
                continue
            return Loaded(folder, net, state)
        if self._damaged:
            raise DenseDepthError(f"{self.folder}: no checkpoint is whole; begin anew with --fresh")
        return None

    def save(self, net: DenseDepth, state: dict[str, Any], info: dict[str, Any]) -> Path:
        """Write a checkpoint and drop those that are not needed any more.

        Args:
            net: the network to use, as in :func:`densedepth.models.save_checkpoint`.
            state: with ``epoch`` and ``step`` in it; of types that load with ``weights_only``.
            info: for the card.

        Raises:
            DenseDepthError: the disk is full or fails; the last checkpoint is still there.
        """
        name = f"epoch-{state['epoch']:04}-step-{state['step']:08}"
        target, beside = self.folder / name, self.folder / ".writing"
        if target.exists() and target not in self._damaged:
            return target  # the run was stopped right after it was written
        with reported(f"checkpoint {target}", self._usable()):
            shutil.rmtree(beside, ignore_errors=True)
            try:
                write_checkpoint(net, beside, info)
                torch.save(state, beside / TRAINING)
                sums = {path.name: [path.stat().st_size, _sum(path)] for path in sorted(beside.iterdir())}
                (beside / COMPLETE).write_text(json.dumps(sums, indent=2) + "\n")
                shutil.rmtree(target, ignore_errors=True)
                beside.rename(target)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        for old in [*self._damaged, *self._newest_first()[KEPT:]]:
            if old != target:
                shutil.rmtree(old, ignore_errors=True)
        self._damaged = []
        return target

    def _usable(self) -> str:
        whole = [folder for folder in self._newest_first() if folder not in self._damaged]
        return f"{whole[0]} is whole, go on from it by the same command" if whole else "nothing was saved before it"

    def _newest_first(self) -> list[Path]:
        folders = [path for path in self.folder.glob("epoch-*-step-*") if path not in self._damaged]
        # By step, then by epoch: at the end of an epoch its validation comes later at the same step.
        return sorted(folders, key=lambda path: path.name.split("-")[3::-2], reverse=True)


@contextmanager
def reported(what: str, advice: str) -> Iterator[None]:
    """Turn a failing disk into one line; torch and safetensors have errors of their own for it.

    Raises:
        DenseDepthError: what could not be written, why, and ``advice``.
    """
    try:
        yield
    except DenseDepthError:
        raise
    except Exception as error:
        raise DenseDepthError(f"{what} could not be written ({first_line(error)}): make room; {advice}") from error


def _check(folder: Path) -> None:
    if not (folder / COMPLETE).is_file():
        raise DenseDepthError(f"{COMPLETE} is missing")
    for name, (size, digest) in json.loads((folder / COMPLETE).read_text()).items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise DenseDepthError(f"{name} is not {size} bytes long")
        if _sum(folder / name) != digest:
            raise DenseDepthError(f"{name} was changed")


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
