"""Checkpoints for use: a folder with ``model.safetensors`` (weights) and ``model.json`` (the architecture)."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from densedepth.errors import DenseDepthError
from densedepth.io.opening import one_line
from densedepth.models.densedepth import DenseDepth, weight_shapes

WEIGHTS = "model.safetensors"
SWITCHES = "model.json"


def save_checkpoint(
    net: DenseDepth,
    folder: str | os.PathLike[str],
    info: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
) -> Path:
    """Write ``net`` to ``folder``; ``info`` (training data, focal length ...) goes into the card of a later export.

    All files are written into a folder beside it, which then takes the place of the old one. The old one steps aside
    for that moment, to a place where :func:`load_checkpoint` finds it.

    Args:
        net: the network.
        folder: what it holds is replaced.
        info: of types that JSON has.
        files: name to text of more files to keep beside the weights.

    Returns:
        ``folder``.

    Raises:
        OSError, SafetensorError: it cannot be written; the old one is still there.
    """
    folder = Path(folder)
    beside, old = folder.with_name(f".{folder.name}-new"), _aside(folder)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        write_checkpoint(net, beside, info)
        for name, text in (files or {}).items():
            (beside / name).write_text(text)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def write_checkpoint(net: DenseDepth, folder: Path, info: dict[str, Any] | None = None) -> None:
    """Write the two files into ``folder`` as they come; :func:`save_checkpoint` is the safe way."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / WEIGHTS)
    description = {"architecture": net.architecture.to_dict(), "info": info or {}}
    (folder / SWITCHES).write_text(json.dumps(description, indent=2) + "\n")


def load_checkpoint(folder: str | os.PathLike[str]) -> tuple[DenseDepth, dict[str, Any]]:
    """Load a network. The folder may be anybody's: nothing in it is executed, fetched, or larger than its own file.

    Args:
        folder: a checkpoint folder, or a run folder, which stands for its ``best``.

    Returns:
        The network, in eval mode and on the CPU, and what :func:`save_checkpoint` was given as ``info``.

    Raises:
        DenseDepthError: a file is missing or damaged, or the weights do not fit the architecture.
    """
    folder = _whole(Path(folder))
    if not (folder / SWITCHES).exists() and (_whole(folder / "best") / SWITCHES).exists():
        folder = _whole(folder / "best")
    try:
        description = json.loads((folder / SWITCHES).read_text())
        architecture, info = description["architecture"], description["info"]
        if not isinstance(info, dict):
            raise TypeError("its info is no object")
        wanted = weight_shapes(architecture)
        state = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise DenseDepthError(f"{folder} is no checkpoint: {Path(error.filename or WEIGHTS).name} is missing") from None
    except DenseDepthError as error:
        raise DenseDepthError(f"{folder}: {error}") from None
    except Exception as error:
        raise DenseDepthError(f"{folder}: damaged checkpoint ({one_line(error)})") from None
    # Before the network is made: it is then no larger than the file.
    for key in sorted(wanted.keys() | state.keys()):
        ours = wanted.get(key, "none")
        theirs = tuple(state[key].shape) if key in state else "none"
        if ours != theirs:
            raise DenseDepthError(f"{folder / WEIGHTS}: '{key}' is {theirs}, the architecture needs {ours}")
    net = DenseDepth.from_architecture(architecture)
    net.load_state_dict(state)
    return net.eval(), info


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-old")


def _whole(folder: Path) -> Path:
    """``folder``, or what :func:`save_checkpoint` had set aside when it was ended between its two renames."""
    return _aside(folder) if not folder.exists() and _aside(folder).exists() else folder
