"""What a bundle can run on, by name: onnxruntime and its providers, OpenVINO, torch.

On a CPU, `auto` means onnxruntime for an .onnx file, also where OpenVINO is installed: on the bundles measured the two
need the same processor time for a photo within an eighth, and OpenVINO takes longer to get ready (docs/runtimes.md).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import BundleError, DeviceError
from densedepth.runtime.devices.cores import cores
from densedepth.runtime.devices.names import (
    AUTO,
    DEVICES,
    PROVIDERS,
    TORCH_DEVICES,
    installed,
    known_device,
    not_installed,
    nvidia_driver,
)
from densedepth.runtime.devices.onnx import OnnxRunner
from densedepth.runtime.devices.vino import OpenVinoRunner

__all__ = [
    "AUTO",
    "DEVICES",
    "TORCH_DEVICES",
    "Runner",
    "bundle_bytes",
    "cores",
    "installed",
    "known_device",
    "nvidia_driver",
    "open_runner",
]

AGREEMENT = 0.01
"""Largest relative difference to the depth from the CPU at which `auto` trusts a GPU."""


class Runner(Protocol):
    """A bundle's graph, ready to run. Several threads may run it at the same time.

    Attributes:
        inputs: name to NumPy's name of the element type.
        outputs: the same for what comes out.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[Any]]:
        """The outputs called `names` for the input `image`, uint8 (N, H, W, 3)."""
        ...


def bundle_bytes(path: Path) -> int:
    """The size of a bundle: of its one file, or of OpenVINO's .xml and the .bin beside it."""
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return sum(file.stat().st_size for file in files)


def open_runner(path: Path, device: str = AUTO, threads: int | None = None) -> tuple[str, Runner]:
    """Make a bundle ready on a device.

    Args:
        path: .onnx, or OpenVINO's .xml with its .bin beside it.
        device: a name in `DEVICES`; "auto" takes a GPU that onnxruntime offers, if it starts and its depth agrees with
            the CPU's within 1 %, else the CPU. A GPU that does not is named in a warning. An .xml runs on OpenVINO.
        threads: cores used for one prediction; None lets the runtime decide.

    Returns:
        The name of the device, and the runner.

    Raises:
        BundleError: a damaged file.
        DeviceError: an unknown device, one that is not installed or does not start, or one for other files.
    """
    known_device(device)
    if device != AUTO:
        return device, _open(path, device, threads)
    if path.suffix == ".xml":
        return "openvino", _open(path, "openvino", threads)
    runner = _open(path, "onnxruntime", threads)
    for name in [name for name in installed() if name in PROVIDERS and name != "onnxruntime"]:
        try:
            accelerated = _open(path, name, threads)
            _check_agreement(name, accelerated, runner)
            return name, accelerated
        except (BundleError, DeviceError) as problem:
            warnings.warn(f"{problem}; going on with onnxruntime on the CPU", stacklevel=2)
    return "onnxruntime", runner


def _open(path: Path, device: str, threads: int | None) -> Runner:
    if device in PROVIDERS:
        return OnnxRunner(path, device, threads)
    if device == "openvino":
        return OpenVinoRunner(path, threads)
    try:  # torch is the business of rooms above
        from densedepth.export import torch_runner
    except ModuleNotFoundError as cause:
        if (cause.name or "").startswith("densedepth"):
            raise
        raise not_installed(device) from cause
    runner: Runner = torch_runner(path, device, threads)
    return runner


def _check_agreement(name: str, runner: Runner, reference: Runner) -> None:
    """Raise a DeviceError where a device fails on a small picture, or says another depth than the reference."""
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    (expected_m,) = reference.run(image, ["depth_m"])
    try:
        (depth_m,) = runner.run(image, ["depth_m"])
    except Exception as cause:  # every runtime raises its own, undocumented types
        raise DeviceError(f"device {name} starts but fails ({type(cause).__name__})") from cause
    difference = float(np.abs(depth_m / expected_m - 1).max())
    if not difference <= AGREEMENT:
        raise DeviceError(f"device {name} says a depth that differs from the CPU's by {difference:.1%}")
