"""A bundle run by OpenVINO: an .onnx file, or OpenVINO's own pair of .xml and .bin."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import BundleError
from densedepth.runtime.devices.cores import cores
from densedepth.runtime.devices.names import not_installed


class OpenVinoRunner:
    """A model compiled for the CPU. Several threads may run it at the same time.

    The arithmetic is float32 also where the processor offers bfloat16, which OpenVINO would take by itself and which
    has 8 bits of mantissa. Layers that were stored as int8 run as int8.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Read and compile; `threads` limits the cores used for one prediction (None: all).

        Raises:
            BundleError: the file is damaged.
            DeviceError: OpenVINO is not installed.
        """
        try:
            import openvino
        except ModuleNotFoundError as cause:
            raise not_installed("openvino") from cause
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            # A stream is what one prediction runs in; as many are ready as have cores.
            streams = max(1, cores() // threads)
            settings |= {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": streams * threads}
        try:
            core = openvino.Core()
            self._model = core.compile_model(core.read_model(path), "CPU", settings)
        except Exception as cause:  # OpenVINO raises RuntimeError for everything
            raise BundleError(f"{path}: OpenVINO cannot load it; get a whole copy, or export it again") from cause
        self.inputs = {port.get_any_name(): _type(port) for port in self._model.inputs}
        self.outputs = {port.get_any_name(): _type(port) for port in self._model.outputs}
        self._of_thread = threading.local()

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[Any]]:
        """The outputs called `names` for the input `image`."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._model.create_infer_request()
        answers = request.infer({"image": images})
        return [answers[name] for name in names]


def _type(port: Any) -> str:
    return str(np.dtype(port.get_element_type().to_dtype()))
