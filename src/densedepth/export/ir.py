"""OpenVINO IR: OUT.xml (graph) and OUT.bin (weights), made from an ONNX bundle."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from densedepth.errors import DenseDepthError
from densedepth.io.opening import one_line
from densedepth.runtime import Bundle, read_card

#: Where the card stands in the model's rt_info.
CARD_PATH = ["densedepth", "card"]


def write_ir(bundle: Path, path: Path, *, half_weights: bool, check: Callable[[Bundle], float]) -> float:
    """Write a bundle as IR.

    Both files are written into a folder beside, checked as OpenVINO runs them, and then renamed, the weights first.

    Args:
        bundle: the .onnx file; its card goes along.
        path: the .xml file; the .bin takes its place beside.
        half_weights: store weights as float16.
        check: raises when the answers are wrong.

    Returns:
        What ``check`` returned.

    Raises:
        DenseDepthError: OpenVINO is missing or cannot convert the graph, or ``check``'s own.
    """
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise DenseDepthError(f"{path}: needs openvino: pip install densedepth[openvino]") from error
    try:
        model = openvino.convert_model(bundle)
    except Exception as error:  # OpenVINO raises RuntimeError for everything
        reason = one_line(error)[:200]
        raise DenseDepthError(f"{path}: OpenVINO {openvino.__version__} cannot convert the graph ({reason})") from error
    model.set_rt_info(read_card(bundle).to_json(), CARD_PATH)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".densedepth-", dir=path.parent) as folder:
        beside = Path(folder) / path.name
        openvino.save_model(model, beside, compress_to_fp16=half_weights)
        del model  # lets go of the file it was read from
        result = check(Bundle(beside, device="openvino"))
        os.replace(beside.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(beside, path)
    return result
