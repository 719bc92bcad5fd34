"""A bundle run by onnxruntime, on the CPU or through one of its other providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import BundleError, DeviceError
from densedepth.io.opening import first_line
from densedepth.runtime.devices.names import PROVIDERS, not_installed

# TensorFloat-32 would round the factors of every product to 10 bits.
_OPTIONS: dict[str, dict[str, Any]] = {"cuda": {"use_tf32": "0"}}
_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


class OnnxRunner:
    """A session of onnxruntime. Several threads may run it at the same time."""

    def __init__(self, path: Path, device: str = "onnxruntime", threads: int | None = None) -> None:
        """Load an .onnx file; `threads` limits the cores used for one prediction (None: onnxruntime decides).

        Raises:
            BundleError: the file is damaged, or an OpenVINO bundle.
            DeviceError: the provider is not installed or does not start.
        """
        if path.suffix == ".xml":
            raise DeviceError(f"{path}: an OpenVINO bundle runs on --device openvino, not on {device}")
        try:
            import onnxruntime  # takes longer to import than the rest of the package together
        except ModuleNotFoundError as cause:
            raise not_installed(device) from cause

        provider = PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise not_installed(device)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Photos come in many shapes; plans kept for each of them would only fill memory.
        options.enable_mem_pattern = False
        if threads is not None:
            options.intra_op_num_threads = threads
        if device == "directml":  # it allows no other way
            options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        providers = [(provider, _OPTIONS.get(device, {}))]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as cause:  # onnxruntime raises its own, undocumented types
            if device != "onnxruntime":
                raise DeviceError(f"{path}: device {device} does not start ({first_line(cause)[:200]})") from cause
            raise BundleError(f"{path}: onnxruntime cannot load it; get a whole copy, or export it again") from cause
        # It goes on with the CPU when the libraries of a GPU are missing.
        if provider not in self._session.get_providers():
            raise DeviceError(f"device {device} does not start: onnxruntime fell back to the CPU; check its driver")
        self.inputs = {node.name: _TYPES.get(node.type, node.type) for node in self._session.get_inputs()}
        self.outputs = {node.name: _TYPES.get(node.type, node.type) for node in self._session.get_outputs()}

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[Any]]:
        """The outputs called `names` for the input `image`."""
        answers: list[NDArray[Any]] = self._session.run(names, {"image": images})
        return answers
