"""A `torch.export` program (.pt2): the same graph for torch itself and for what is built on it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densedepth.errors import BundleError
from densedepth.export.graph import BundleGraph, to_program
from densedepth.export.verify import require_equal
from densedepth.io import replacing
from densedepth.models import DenseDepth
from densedepth.runtime import Card
from densedepth.runtime.network import RunningNetwork

#: Name of the extra file in the .pt2 that holds the card as JSON.
CARD_FILE = "densedepth_card.json"


def write_program(net: DenseDepth, card: Card, path: Path, reference: RunningNetwork) -> float:
    """Write ``net``, in eval mode, as ``path``; compared after loading, and only then put in place.

    Returns:
        Largest relative difference to ``reference``.

    Raises:
        DenseDepthError: this torch cannot trace the network, or the file differs.
    """
    program = to_program(net)
    with replacing(path) as beside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, beside, extra_files={CARD_FILE: card.to_json()})
        loaded, _ = read_program(beside)
        network = RunningNetwork(str(path), card, "torch.export", _ProgramRunner(loaded, BundleGraph(net).names))
        return require_equal(path, network, reference, half_weights=False)


def read_program(path: str | os.PathLike[str]) -> tuple[torch.export.ExportedProgram, Card]:
    """A .pt2 of ours and its card; ``program.module()`` takes uint8 (N, H, W, 3) and returns a tuple of outputs.

    Raises:
        BundleError: no such file, or not one of ours.
    """
    files = {CARD_FILE: ""}
    try:
        program = torch.export.load(Path(path), extra_files=files)
        return program, Card.from_json(files[CARD_FILE])
    except Exception as error:  # torch and zip meet damaged files with errors of any kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(
            f"{path}: cannot be read as a program with a card ({reason}); make one with `densedepth export`"
        ) from error


class _ProgramRunner:
    inputs = {"image": "uint8"}  # noqa: RUF012, the contract says attributes

    def __init__(self, program: torch.export.ExportedProgram, names: tuple[str, ...]) -> None:
        self.outputs = dict.fromkeys(names, "float32")
        self._module = program.module()

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[Any]]:
        with torch.no_grad():
            answer_of = dict(zip(self.outputs, self._module(torch.from_numpy(images)), strict=True))
        return [answer_of[name].numpy() for name in names]
