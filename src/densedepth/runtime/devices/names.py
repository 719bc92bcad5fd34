"""The names of devices, what each needs, and which of them are installed."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from densedepth.errors import DeviceError

AUTO = "auto"

PROVIDERS = {
    "onnxruntime": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""Devices that onnxruntime serves, with its own names for them. Which are there depends on the package installed."""

TORCH_DEVICES = ("torch", "torch:compile", "torch:cuda")

DEVICES = {
    "onnxruntime": "pip install onnxruntime",
    "cuda": "pip uninstall onnxruntime; pip install onnxruntime-gpu",
    "coreml": "pip install onnxruntime, on macOS",
    "directml": "pip uninstall onnxruntime; pip install onnxruntime-directml, on Windows",
    "openvino": "pip install densedepth[openvino]",
    "torch": "pip install densedepth[train]",
    "torch:compile": "pip install densedepth[train], and a C++ compiler",
    "torch:cuda": "pip install densedepth[train], with an NVIDIA GPU",
}
"""Every device with what brings it."""


def installed() -> list[str]:
    """The devices that are installed here. Whether a GPU really starts is only known by trying."""
    there = [name for name, provider in PROVIDERS.items() if provider in _providers()]
    there += ["openvino"] if find_spec("openvino") else []
    return there + (["torch"] if find_spec("torch") else [])


def nvidia_driver() -> bool:
    """Whether there is a driver for NVIDIA GPUs, found without importing anything large."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def known_device(name: str) -> str:
    """Check the name of a device.

    Raises:
        DeviceError: there is none of that name.
    """
    if name != AUTO and name not in DEVICES:
        raise DeviceError(
            f"unknown device '{name}': installed are {', '.join(installed())}; also known are "
            f"{', '.join(sorted(DEVICES.keys() - set(installed())))}, and {AUTO}"
        )
    return name


def not_installed(name: str) -> DeviceError:
    """What to say when a device is asked for that is not there."""
    there = ", ".join(installed())
    return DeviceError(f"device {name} is not installed; installed are {there}; get it: {DEVICES[name]}")


def _providers() -> list[str]:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return []
    providers: list[str] = onnxruntime.get_available_providers()
    return providers
