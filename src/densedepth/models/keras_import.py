"""Weights that the authors' Keras program saved (``model.save``, .h5) as a :class:`DenseDepth`; h5py only.

Nothing in the file is executed: the architecture is read from its JSON and every array is matched, by layer name and
shape, with the network that the JSON describes. Layer names as found by running the program; see docs/network.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch

from densedepth.errors import DenseDepthError
from densedepth.io.opening import one_line
from densedepth.models.densedepth import DenseDepth
from densedepth.models.encoders import densenet_name

#: What the two published networks predict: y = m / depth, metres clipped to the range. The file does not say which.
TARGETS: dict[str, dict[str, Any]] = {
    "nyu": {"reciprocal_m": 10.0, "depth_range_m": (0.1, 10.0)},
    "kitti": {"reciprocal_m": 80.0, "depth_range_m": (1.0, 80.0)},
}

#: Keras leaf -> torch leaf. The order is that of Keras' own weights, so "first" in an error means first in the file.
_CONV = {"kernel": "weight"}
_CONV_BIAS = {"kernel": "weight", "bias": "bias"}
_BN = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}

_UP = ("up1", "up2", "up3", "up4")

MAX_BYTES = 4_000_000_000
"""Of all weights: several times as many as the published networks have."""

READ_S = 30.0
"""Within which a whole file's model_config is read many times over."""

_READ_CONFIG = "import sys, h5py; h5py.File(sys.argv[1], 'r').attrs['model_config']"


def import_keras(
    path: str | os.PathLike[str],
    *,
    dataset: Literal["nyu", "kitti"] | None = None,
    align_corners: bool | None = None,
) -> DenseDepth:
    """The network in a file such as the published ``nyu.h5`` and ``kitti.h5``.

    Encoder, decoder width and inner activation are read from the file.

    Args:
        path: HDF5 file of a whole Keras model.
        dataset: whose depth the network predicts: "nyu" is 10 / metres in 0.1 to 10 m, "kitti" is 80 / metres in 1
            to 80 m. None decides by the file's name, which begins with ``kitti`` or means NYU.
        align_corners: of the up-sampling. The file does not record it; None takes the published combinations: True
            for 4 LeakyReLU layers (the released weights), False for 8 (the authors' later default).

    Returns:
        The network, in eval mode.

    Raises:
        DenseDepthError: not such a file, or not this network; the first layer that does not fit is named.
    """
    path = Path(path)
    layers, arrays = _read(path)
    names = [_name(layer) for layer in layers]
    inner_activation = _inner_activation(path, layers)
    blocks = tuple(_block_length(names, stage) for stage in (2, 3, 4, 5))
    if 0 in blocks:
        missing = f"conv{blocks.index(0) + 2}_block1_0_bn"
        raise DenseDepthError(f"{path}: layer '{missing}' is missing; the encoder must be a DenseNet as in Keras")
    width = _decoder_width(path, arrays)
    try:
        # Without memory at first: a file may ask for a network of any size, and is compared before one is made.
        with torch.device("meta"):
            plan = DenseDepth(
                densenet_name(blocks),
                "half" if inner_activation else "paper",
                decoder_width=width,
                inner_activation=inner_activation,
                align_corners=(not inner_activation) if align_corners is None else align_corners,
                **TARGETS[dataset or dataset_of(path)],
            )
    except (DenseDepthError, RuntimeError) as error:  # torch cannot count that far
        raise DenseDepthError(f"{path}: no network of this package: {one_line(error)}") from None
    state = _state(path, plan, blocks, arrays)
    net = DenseDepth.from_architecture(plan.architecture)
    net.load_state_dict(net.state_dict() | state)
    return net.eval()


def dataset_of(path: str | os.PathLike[str]) -> Literal["nyu", "kitti"]:
    """The data set that a file's name stands for: kitti.h5, KITTI_v2.h5 ... or, by default, NYU."""
    return "kitti" if Path(path).name.lower().startswith("kitti") else "nyu"


def _read(path: Path) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Layers of the model's JSON, and all its arrays by their path below ``model_weights``."""
    if not path.is_file():
        raise DenseDepthError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs or not isinstance(file.get("model_weights"), h5py.Group):
                what = "holds weights only" if "layer_names" in file.attrs else "is no Keras model"
                raise DenseDepthError(
                    f"{path} {what}: model_config and model_weights are needed, as Keras' model.save(file.h5) writes"
                )
            _check_it_can_be_read(path)
            text = file.attrs["model_config"]
            # h5py 2 wrote bytes, h5py 3 writes text.
            config = json.loads(text.decode() if isinstance(text, bytes) else str(text))
            arrays: dict[str, np.ndarray] = {}

            def collect(name: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset):
                    # What is compressed, or was never written, can be any size.
                    if item.nbytes + sum(array.nbytes for array in arrays.values()) > MAX_BYTES:
                        raise ValueError(f"weights of more than {MAX_BYTES / 1e9:g} GB")
                    arrays[name] = item[()]

            file["model_weights"].visititems(collect)
    except DenseDepthError:
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError ... for damaged files
        raise DenseDepthError(f"{path}: not a readable HDF5 file of Keras ({one_line(error)})") from None
    try:
        layers = config["config"]["layers"]
        for layer in layers:
            _name(layer), layer["class_name"], layer["config"].keys()
    except (KeyError, TypeError, AttributeError):
        raise DenseDepthError(f"{path}: model_config lists no layers; is it a functional Keras model?") from None
    return layers, arrays


def _check_it_can_be_read(path: Path) -> None:
    """Let another process read the model's JSON first: in a damaged heap of texts libhdf5 goes round for ever, or ends
    the process (SIGSEGV)."""
    command = [sys.executable, "-c", _READ_CONFIG, str(path)]
    try:
        crashed = subprocess.run(command, capture_output=True, timeout=READ_S, check=False).returncode < 0
    except subprocess.TimeoutExpired:
        crashed = True
    if crashed:
        raise DenseDepthError(f"{path}: damaged: its model_config cannot be read to an end; get a whole copy")


def _name(layer: dict[str, Any]) -> str:
    # Old Keras repeats the name beside the config; every version has it inside.
    return str(layer.get("name") or layer["config"]["name"])


def _inner_activation(path: Path, layers: list[dict[str, Any]]) -> bool:
    """Whether convA has a LeakyReLU too: 8 such layers instead of 4. Slope and place are checked where they stand."""
    leaky = [layer for layer in layers if layer["class_name"] == "LeakyReLU"]
    if len(leaky) not in (4, 8):
        raise DenseDepthError(
            f"{path}: {len(leaky)} LeakyReLU layers; the released network has 4 (after convB), the later one 8"
        )
    expected = [f"{up}_conv{ab}" for up in _UP for ab in ("AB" if len(leaky) == 8 else "B")]
    for layer, before in zip(leaky, expected, strict=True):
        config = layer["config"]
        slope = config.get("alpha", config.get("negative_slope"))
        # Some versions of Keras wrap the number; only a plain one is checked.
        if isinstance(slope, float) and abs(slope - 0.2) > 1e-6:
            raise DenseDepthError(f"{path}: layer '{_name(layer)}' has slope {slope:g}, the network needs 0.2")
        source = _source(layer)
        if source is not None and source != before:
            raise DenseDepthError(f"{path}: layer '{_name(layer)}' follows '{source}', the network needs '{before}'")
    return len(leaky) == 8


def _source(layer: dict[str, Any]) -> str | None:
    """The layer that feeds ``layer``, or None where the JSON is not in the form of Keras 2."""
    try:
        return str(layer["inbound_nodes"][0][0][0])
    except (KeyError, IndexError, TypeError):
        return None


def _block_length(names: list[str], stage: int) -> int:
    """Number of layers in dense block ``stage - 1``: Keras counts the stem as conv1."""
    found = (re.match(rf"conv{stage}_block(\d+)_", name) for name in names)
    return max((int(match[1]) for match in found if match), default=0)


def _decoder_width(path: Path, arrays: dict[str, np.ndarray]) -> int:
    shape = arrays[_find(path, arrays, "conv2", "kernel")].shape
    if len(shape) != 4 or shape[3] < 16 or shape[3] % 16:
        raise DenseDepthError(
            f"{path}: layer 'conv2' has a kernel of shape {shape}; its filters must be a multiple of 16, as four "
            "halvings follow"
        )
    return int(shape[3])


def _state(
    path: Path, plan: DenseDepth, blocks: tuple[int, ...], arrays: dict[str, np.ndarray]
) -> dict[str, torch.Tensor]:
    """The weights of ``plan`` out of ``arrays``; each is used once and none is left over."""
    ours = plan.state_dict()
    state: dict[str, torch.Tensor] = {}
    used = set()
    for layer, module, leaves in _layers(blocks):
        for leaf, our_leaf in leaves.items():
            found = _find(path, arrays, layer, leaf)
            value = arrays[found]
            key = f"{module}.{our_leaf}"
            shape = tuple(ours[key].shape)
            if len(shape) == 4:
                shape = (*shape[2:], shape[1], shape[0])  # OIHW -> HWIO
            if value.shape != shape or value.dtype.kind != "f":
                raise DenseDepthError(
                    f"{path}: layer '{layer}' has a {leaf} of shape {value.shape} ({value.dtype}), "
                    f"{plan.architecture.encoder} with decoder width {plan.architecture.decoder_width} needs {shape}"
                )
            if not np.isfinite(value).all():
                raise DenseDepthError(f"{path}: layer '{layer}' has NaN or infinity in its {leaf}")
            used.add(found)
            value = np.ascontiguousarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value, dtype=np.float32)
            state[key] = torch.from_numpy(value)
    surplus = [name for name in arrays if name not in used]
    if surplus:
        raise DenseDepthError(f"{path}: the network has no place for '{surplus[0]}' ({len(surplus)} arrays too many)")
    return state


def _layers(blocks: tuple[int, ...]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(Keras layer, our module, leaves) of all layers with weights, in the order in which the network applies them."""
    body, decoder = "encoder.body", "decoder"
    yield "conv1/conv", f"{body}.conv0", _CONV
    yield "conv1/bn", f"{body}.norm0", _BN
    for number, length in enumerate(blocks, start=1):
        stage = number + 1
        for i in range(1, length + 1):
            keras, ours = f"conv{stage}_block{i}", f"{body}.denseblock{number}.denselayer{i}"
            yield f"{keras}_0_bn", f"{ours}.norm1", _BN
            yield f"{keras}_1_conv", f"{ours}.conv1", _CONV
            yield f"{keras}_1_bn", f"{ours}.norm2", _BN
            yield f"{keras}_2_conv", f"{ours}.conv2", _CONV
        if number < len(blocks):
            yield f"pool{stage}_bn", f"{body}.transition{number}.norm", _BN
            yield f"pool{stage}_conv", f"{body}.transition{number}.conv", _CONV
    yield "bn", f"{body}.norm5", _BN
    yield "conv2", f"{decoder}.conv2", _CONV_BIAS
    for up in _UP:
        yield f"{up}_convA", f"{decoder}.{up}.convA", _CONV_BIAS
        yield f"{up}_convB", f"{decoder}.{up}.convB", _CONV_BIAS
    yield "conv3", f"{decoder}.conv3", _CONV_BIAS


def _find(path: Path, arrays: dict[str, np.ndarray], layer: str, leaf: str) -> str:
    """Path of one array: below its layer's group. Keras versions differ in what stands between (mostly the layer's
    name again, which may contain '/') and in the ':0' after the leaf."""
    found = [name for name in arrays if name.startswith(f"{layer}/") and name.split("/")[-1] in (leaf, f"{leaf}:0")]
    if len(found) != 1:
        what = "is missing" if not found else "stands there twice"
        raise DenseDepthError(f"{path}: layer '{layer}': its {leaf} {what}")
    return found[0]
