"""A network run by torch itself, behind the same contract as a bundle: to compare with, and for its GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from densedepth.errors import DeviceError
from densedepth.export.graph import BundleGraph
from densedepth.models import DenseDepth
from densedepth.models.bundle_import import read_bundle

COMPILED = "torch:compile"


class TorchRunner:
    """A network of ours on a device of torch, in float32.

    Args:
        net: the network.
        device: "torch" (CPU), "torch:compile" (CPU, compiled for each size of picture it meets) or "torch:cuda".
        threads: cores used for one prediction. torch has one number for the whole process, so this sets it.

    Raises:
        DeviceError: torch has no such device here.
    """

    inputs = {"image": "uint8"}  # noqa: RUF012, the contract says attributes

    def __init__(self, net: DenseDepth, device: str = "torch", threads: int | None = None) -> None:
        if device == "torch:cuda" and not torch.cuda.is_available():
            raise DeviceError("device torch:cuda does not start: torch finds no GPU; use --device torch")
        if threads is not None:
            torch.set_num_threads(threads)
        self._where = torch.device("cuda" if device == "torch:cuda" else "cpu")
        graph = BundleGraph(net.eval()).to(self._where)
        self.outputs = dict.fromkeys(graph.names, "float32")
        self._graph: Any = torch.compile(graph, dynamic=False) if device == COMPILED else graph

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[Any]]:
        """The outputs called `names` for the input `image`."""
        # TensorFloat-32, which torch allows convolutions, would round their factors to 10 bits.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            answers = self._graph(torch.tensor(images, device=self._where))
        answer_of = dict(zip(self.outputs, answers, strict=True))
        return [answer_of[name].cpu().numpy() for name in names]


def torch_runner(path: Path, device: str = "torch", threads: int | None = None) -> TorchRunner:
    """The network of a bundle, run by torch. Raises BundleError for one whose weights torch cannot take (int8)."""
    return TorchRunner(read_bundle(path)[0], device, threads)
