"""A bundle: one file from RGB to metres, .onnx or OpenVINO's .xml with its .bin, on any device that can run it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from densedepth.runtime.card import read_card
from densedepth.runtime.devices import open_runner
from densedepth.runtime.network import RunningNetwork


class Bundle(RunningNetwork):
    """A loaded bundle.

    Attributes:
        path: where it lies.
    """

    def __init__(self, path: str | PathLike[str], *, device: str = "onnxruntime", threads: int | None = None) -> None:
        """Load a bundle; see `densedepth.runtime.devices.open_runner` for `device` and `threads`.

        Raises:
            BundleError: missing, damaged, or not one of ours.
            DeviceError: the device is unknown, not installed, or does not start.
        """
        self.path = Path(path)
        card = read_card(self.path)
        super().__init__(str(self.path), card, *open_runner(self.path, device, threads))
