"""The card of a bundle: what the network is, what it was trained for and how well it does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from densedepth.errors import BundleError, NoBundleError
from densedepth.runtime.ir_metadata import read_ir_card
from densedepth.runtime.onnx_metadata import external_files, read_metadata
from densedepth.types import FILM_DIAGONAL_MM

CARD_KEY = "densedepth_card"
"""Name of the ONNX metadata property that holds the card as JSON."""

CARD_FORMAT = 1

MAX_INPUT_SIDE = 8192
"""Photos are brought to the size of the training images: a card cannot ask for all the memory there is."""
MAX_DEPTH_M = 1e6

SHOWN_METRICS = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10")
PROTOCOL_KEYS = ("protocol", "crop", "cap_m", "alignment", "tta", "images")
"""What people are shown of the results on a card: `shown_metrics`, and how they were measured."""


@dataclass(frozen=True)
class InputCamera:
    """The camera the network was trained for: image size and focal length, all in pixels.

    Raises:
        ValueError: a number that is not positive and finite, or sides that are not whole or more than 8192.
    """

    width: int
    height: int
    focal_px: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value > 0 for value in (self.width, self.height, self.focal_px)):
            raise ValueError(f"input width, height and focal_px must be positive, got {self}")
        if self.width % 1 or self.height % 1 or max(self.width, self.height) > MAX_INPUT_SIDE:
            raise ValueError(f"input width and height must be whole and at most {MAX_INPUT_SIDE}, got {self}")

    @property
    def diagonal_px(self) -> float:
        """Diagonal of the input image in pixels."""
        return math.hypot(self.width, self.height)

    @property
    def focal_35mm(self) -> float:
        """35mm-equivalent focal length in millimetres, by the diagonal."""
        return self.focal_px / self.diagonal_px * FILM_DIAGONAL_MM


@dataclass(frozen=True)
class Card:
    """What a bundle says about itself.

    Attributes:
        name: name of the model, written into depth maps.
        input: the training camera; the size photos are brought to follows from it.
        depth_range_m: (nearest, farthest) depth in metres the network can say for its training camera.
        license, encoder, decoder_width, training_data, created_with: for people to read.
        metrics: results of evaluations, each with its data set and protocol.
        extra: keys of newer versions of this package, kept as they are.

    Raises:
        ValueError: a range that is none or beyond 1000 km, texts that are none, or metrics that are no list of objects.
    """

    name: str
    input: InputCamera
    depth_range_m: tuple[float, float]
    license: str = ""
    encoder: str = ""
    decoder_width: float | None = None
    training_data: str = ""
    metrics: list[dict[str, Any]] = field(default_factory=list)
    created_with: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        near_m, far_m = self.depth_range_m
        if not 0 < near_m < far_m <= MAX_DEPTH_M:
            raise ValueError(f"depth_range_m must be two depths, the nearer first, got {near_m:g} and {far_m:g} m")
        texts = (self.name, self.license, self.encoder, self.training_data, self.created_with)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("name, license, encoder, training_data and created_with must be texts")
        if not isinstance(self.metrics, list) or not all(isinstance(result, dict) for result in self.metrics):
            raise ValueError("metrics must be a list of objects")

    def to_json(self) -> str:
        """The card as it stands in a bundle."""
        values = asdict(self)
        extra = values.pop("extra")
        return json.dumps({"format": CARD_FORMAT, **values, **extra})

    @classmethod
    def from_json(cls, text: str) -> Card:
        """The inverse of `to_json`.

        Raises:
            ValueError: not a card, a card of another format number, or one without a name, input or depth
                range, or with ones that cannot be.
        """
        try:
            values = json.loads(text)
        except RecursionError as cause:
            raise ValueError("it is nested too deeply") from cause
        if not isinstance(values, Mapping):
            raise ValueError("the card is not a JSON object")
        values = dict(values)
        if (number := values.pop("format", None)) != CARD_FORMAT:
            raise ValueError(f"card format {number!r}, this version reads {CARD_FORMAT}; upgrade densedepth")
        known = {name: values.pop(name) for name in cls.__dataclass_fields__ if name in values}
        try:
            known["input"] = InputCamera(**known["input"])
            near_m, far_m = known["depth_range_m"]
            known["depth_range_m"] = (float(near_m), float(far_m))
            return cls(**known, extra=values)
        except (TypeError, KeyError, OverflowError) as cause:
            raise ValueError(f"the card is incomplete: {cause}") from cause


def read_card(path: str | PathLike[str]) -> Card:
    """Read the card of a bundle without loading the network.

    Args:
        path: the bundle, .onnx or .xml.

    Raises:
        NoBundleError: an ONNX file without a card.
        BundleError: missing, damaged, no ONNX file, with weights in other files, or with a card we cannot read.
    """
    path = Path(path)
    if not path.is_file():
        raise BundleError(f"{path}: no such file; give a bundle (.onnx or .xml)")
    openvino = path.suffix == ".xml"
    if openvino and not path.with_suffix(".bin").is_file():
        raise BundleError(f"{path}: its weights, {path.with_suffix('.bin').name}, are not beside it; copy both files")
    try:
        text = read_ir_card(path) if openvino else read_metadata(path).get(CARD_KEY)
        elsewhere = [] if openvino else external_files(path)
    except (ValueError, OSError) as cause:
        kind = "OpenVINO" if openvino else "ONNX"
        raise BundleError(f"{path}: damaged or not an {kind} file ({cause}); get a whole copy") from cause
    if text is None:
        raise NoBundleError(f"{path}: no densedepth card in it; make bundles with `densedepth export`")
    if elsewhere:
        # onnxruntime would read any file that such a path leads to.
        raise BundleError(f"{path}: keeps weights in another file ({elsewhere[0][:100]!r}); a bundle is one file")
    try:
        return Card.from_json(text)
    except ValueError as cause:
        raise BundleError(f"{path}: unusable card: {cause}") from cause


def shown_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The means over images as most papers report them; results without them show what they have pooled."""
    numbers = result.get("per_image") or result.get("pooled")
    if not isinstance(numbers, dict):
        return {}
    return {key: float(numbers[key]) for key in SHOWN_METRICS if isinstance(numbers.get(key), int | float)}
