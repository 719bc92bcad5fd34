"""Shared fixtures: tiny bundles whose answers can be worked out by hand, and pictures to feed them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from densedepth.runtime.card import CARD_KEY, Card, InputCamera

# The same examples every time: a change is what makes a test fail. `pytest --hypothesis-profile default` draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

MakeBundle = Callable[..., Path]

# Diagonal 400: a 320 x 240 photo is seen by the network pixel for pixel.
TRAINED = InputCamera(width=320, height=240, focal_px=260.0)


def brightness_depth_m(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the tiny bundle answers: depth grows with the pixel's mean of RGB, from 0.1 to 9.1 m."""
    grey: NDArray[np.float32] = image.astype(np.float32).mean(axis=-1)
    return (0.1 + grey / 255 * 9).astype(np.float32)


def write_tiny_bundle(path: Path, *, shift: bool = False, card: str | None = "default") -> Path:
    """Write a bundle that computes `brightness_depth_m`; with `shift`, of the pixel to the left.

    `card` is the JSON text of the card; None leaves it out.
    """
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["grey"], axes=[3], keepdims=0),
    ]
    grey = "grey"
    if shift:
        nodes += [
            helper.make_node("Unsqueeze", ["grey", "channel_axis"], ["nchw"]),
            helper.make_node("Conv", ["nchw", "kernel"], ["shifted4"], pads=[0, 1, 0, 1], kernel_shape=[1, 3]),
            helper.make_node("Squeeze", ["shifted4", "channel_axis"], ["shifted"]),
        ]
        grey = "shifted"
    nodes += [
        helper.make_node("Mul", [grey, "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "nearest"], ["depth_m"]),
    ]
    constants = {
        "scale": np.float32(9 / 255),
        "nearest": np.float32(0.1),
        "kernel": np.array([1, 0, 0], np.float32).reshape(1, 1, 1, 3),
        "channel_axis": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("depth_m", TensorProto.FLOAT, ["n", "h", "w"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if card == "default":
        metrics = [{"dataset": "toy", "protocol": "plain", "per_image": {"delta1": 0.5, "rmse": 1.25}}]
        card = Card("tiny", TRAINED, (0.1, 10.0), license="Apache-2.0", encoder="none", metrics=metrics).to_json()
    if card is not None:
        helper.set_model_props(model, {CARD_KEY: card})
    onnx.save(model, str(path))
    return path


@pytest.fixture
def tiny_bundle(tmp_path: Path) -> MakeBundle:
    """`tiny_bundle(name="tiny.onnx", shift=False, card=...)` writes a bundle and gives its path."""

    def make(name: str = "tiny.onnx", **options: object) -> Path:
        folder = tmp_path / "models"
        folder.mkdir(exist_ok=True)
        return write_tiny_bundle(folder / name, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def random_image() -> NDArray[np.uint8]:
    """uint8 (240, 320, 3) noise, at which `TRAINED` works without resizing."""
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the NYU frames: $DENSEDEPTH_SHARED, or `../shared` beside the checkout."""
    named = os.environ.get("DENSEDEPTH_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "nyu" / "data").is_dir():
        pytest.skip(f"needs the NYU frames, and {folder}/nyu is not there (set DENSEDEPTH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def parity() -> Path:
    """The folder of golden numbers: $DENSEDEPTH_SHARED/parity, or `../shared/parity` beside the checkout."""
    named = os.environ.get("DENSEDEPTH_SHARED")
    folder = (Path(named) if named else Path(__file__).resolve().parents[2] / "shared") / "parity"
    if not (folder / "model_tiny.npz").is_file():
        pytest.skip(f"needs the golden numbers, and {folder} is not there (set DENSEDEPTH_SHARED)")
    return folder


def write_nyu_layout(
    root: Path, frames: Iterable[tuple[str, NDArray[np.uint8], NDArray[np.uint8] | NDArray[np.uint16]]]
) -> Path:
    """Write (scene, photo, depth) triples as the training part of the csv layout; depth's dtype is its bit depth."""
    rows = []
    for number, (scene, photo, depth) in enumerate(frames):
        stem = f"data/nyu2_train/{scene}_out/{number}"
        (root / stem).parent.mkdir(parents=True, exist_ok=True)
        # Lossless under the name that the layout prescribes: pixel values can be compared.
        Image.fromarray(photo).save(root / f"{stem}.jpg", format="PNG")
        Image.fromarray(depth).save(root / f"{stem}.png")
        rows.append(f"{stem}.jpg,{stem}.png\n")
    (root / "data" / "nyu2_train.csv").write_text("".join(rows))
    return root


@pytest.fixture(autouse=True)
def no_handler_of_ended_children() -> None:
    """A library of the data sets leaves a SIGCHLD handler in C; once OpenVINO has run, the end of any subprocess then
    ends the test process with SIGSEGV. Nothing here needs the handler."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
