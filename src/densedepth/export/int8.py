"""An int8 file from a float network: which layers stay in float is found by the depth error that they cause."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from densedepth.errors import DenseDepthError
from densedepth.export.bundle import Exported, open_float_bundle, output_path, save_with_card
from densedepth.export.calibration import evenly_spread
from densedepth.export.graph import opset_of
from densedepth.export.halve import store_weights_in_half
from densedepth.export.ir import write_ir
from densedepth.export.quantise import Quantiser
from densedepth.export.verify import SHAPES
from densedepth.io import replacing
from densedepth.runtime import Bundle, Card
from densedepth.runtime.network import RunningNetwork

Photos = Sequence[NDArray[np.uint8]]
#: Measures a network against ground truth, for the card.
Measure = Callable[[RunningNetwork], dict[str, Any]]

#: Layers are left in float in groups of neighbours: so many groups are measured one by one at most.
MAX_GROUPS = 24
#: Photos that the groups are compared on, and that the choice is made on.
RANKED_ON, CHOSEN_ON = 3, 12
#: At sizes it was not calibrated on, a whole file may err so many times its budget.
SIZE_FACTOR = 5


@dataclass(frozen=True)
class Budget:
    """How far the int8 depth may be from the float depth.

    Attributes:
        depth_error: mean of |log(int8 depth / float depth)| over photos, about the relative difference.
    """

    depth_error: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.depth_error < 1:
            raise DenseDepthError(f"the largest depth error must be between 0 and 1, got {self.depth_error:g}")


def export_int8(
    bundle: Path,
    path: Path,
    photos: Photos,
    *,
    calibrated_on: str,
    budget: Budget | None = None,
    name: str | None = None,
    measure: Measure | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Exported:
    """Write the int8 form of a bundle.

    All layers but the last are quantised first. If the depth error on the photos, in the runtime that the file is
    for, is above the budget, each group of layers is quantised alone; those that cause the largest error stay in
    float, as few as bring the whole network below the budget.

    Args:
        bundle: a float bundle (.onnx).
        path: .onnx, or .xml for OpenVINO.
        photos: uint8 (1, H, W, 3) each, as the network sees photos.
        calibrated_on: says in the card what the photos are.
        budget: see :class:`Budget`.
        name: stands in the card; None keeps the bundle's.
        measure: evaluates the float network and the int8 file against ground truth; both results go into the card.
        say: called with a line about each step.

    Returns:
        The file; its ``difference`` is the depth error on the photos.

    Raises:
        DenseDepthError: a suffix that cannot be int8, no photos, the budget is not met, or the file fails.
    """
    path, budget = output_path(path), budget or Budget()
    if path.suffix == ".pt2":
        raise DenseDepthError(f"{path}: int8 is written as .onnx (onnxruntime) or .xml (OpenVINO)")
    if not photos:
        raise DenseDepthError("int8 needs photos to calibrate on, 30 or more like those it will see: --calibration DIR")
    reference = open_float_bundle(bundle)
    card = replace(reference.card, name=name or reference.card.name)
    device = "openvino" if path.suffix == ".xml" else "onnxruntime"
    say(f"calibrating on {len(photos)} photos")
    quantiser = Quantiser(bundle, photos, MAX_GROUPS, round_taps=device != "openvino")
    with tempfile.TemporaryDirectory() as folder:
        trial = _Trial(quantiser, card, Path(folder), device, reference)
        kept = _kept_in_float(trial, photos, budget.depth_error, say)
        model = quantiser.quantised(kept)
        store_weights_in_half(model)
        error, seen = trial.error(model, _spread(photos, CHOSEN_ON)), dict[str, Any]()
        if measure is not None:
            say("measuring float and int8 against ground truth")
            seen = {"before": measure(reference), "after": measure(trial.network(model))}
        card = _quantised_card(
            card, model, quantiser.float_layers(kept), quantiser.layer_count, error, calibrated_on, seen
        )
        beside = Path(folder) / "final.onnx"
        save_with_card(model, card, beside)

        def check(network: RunningNetwork) -> float:
            return _checked(path, network, reference, photos, budget.depth_error)

        if path.suffix == ".xml":
            error = write_ir(beside, path, half_weights=True, check=check)
        else:
            with replacing(path) as out:
                save_with_card(model, card, out)
                error = check(Bundle(out))
    return Exported(path, error, card)


class _Trial:
    """Runs int8 graphs in the runtime they are for, and compares them with the float network."""

    def __init__(self, quantiser: Quantiser, card: Card, folder: Path, device: str, reference: RunningNetwork) -> None:
        self.quantiser, self.groups = quantiser, range(len(quantiser.groups))
        self._card, self._file, self._device = card, folder / "trial.onnx", device
        self._reference = reference
        self._expected: dict[int, NDArray[np.float32]] = {}

    def network(self, model: onnx.ModelProto) -> Bundle:
        save_with_card(model, self._card, self._file)
        return Bundle(self._file, device=self._device)

    def error(self, model: onnx.ModelProto, photos: Photos) -> float:
        for photo in photos:
            if id(photo) not in self._expected:
                self._expected[id(photo)] = self._reference.infer(photo)
        network = self.network(model)
        return float(np.mean([_log_error(network.infer(photo), self._expected[id(photo)]) for photo in photos]))


def _kept_in_float(trial: _Trial, photos: Photos, limit: float, say: Callable[[str], object]) -> list[int]:
    """The groups to leave in float: the worst ones, as few as bring the error below the limit."""
    chosen_on, ranked_on = _spread(photos, CHOSEN_ON), _spread(photos, RANKED_ON)
    error = trial.error(trial.quantiser.quantised(), chosen_on)
    say(f"all layers but the last int8: depth error {error:.2%} (budget {limit:.2%})")
    if error <= limit:
        return []
    alone = []
    for group in trial.groups:
        others = [other for other in trial.groups if other != group]
        alone.append(trial.error(trial.quantiser.quantised(others), ranked_on))
        layers = trial.quantiser.layers(group)
        say(f"only {layers[0]} to {layers[-1]} int8: depth error {alone[-1]:.2%}")
    worst_first = sorted(trial.groups, key=lambda group: -alone[group])
    # The fewest that are enough lie between `low`, too few, and `high`; all in float has no error.
    low, high = 0, len(worst_first)
    while high - low > 1:
        middle = (low + high) // 2
        error = trial.error(trial.quantiser.quantised(worst_first[:middle]), chosen_on)
        say(f"{middle} of {len(worst_first)} groups in float: depth error {error:.2%}")
        low, high = (low, middle) if error <= limit else (middle, high)
    if high == len(worst_first):
        raise DenseDepthError(
            f"no layer can be int8 within a depth error of {limit:.2%}: allow more (--max-error), or calibrate on "
            "photos like those the network was trained on"
        )
    return sorted(worst_first[:high])


def _checked(path: Path, network: RunningNetwork, reference: RunningNetwork, photos: Photos, limit: float) -> float:
    """The depth error of the finished file on the photos, after a look at other sizes and several images at once.

    Raises:
        DenseDepthError: it is too large.
    """
    for count, height, width in SHAPES:
        several = [photos[i % len(photos)] for i in range(count)]
        images = np.concatenate([_resized(photo, height, width) for photo in several])
        error = _log_error(network.infer(images), reference.infer(images))
        if not error <= SIZE_FACTOR * limit:
            raise DenseDepthError(
                f"{path}: on {count} images of {width}x{height} the int8 depth is {error:.2%} from the float depth, "
                f"{limit:.2%} was asked for; nothing was written; allow less (--max-error)"
            )
    chosen_on = _spread(photos, CHOSEN_ON)
    error = float(np.mean([_log_error(network.infer(photo), reference.infer(photo)) for photo in chosen_on]))
    if not error <= 1.1 * limit:  # float16 weights and another thread count may move it by a little
        raise DenseDepthError(
            f"{path}: the finished file is {error:.2%} from the float depth, more than {limit:.2%}; nothing was written"
        )
    return error


def _quantised_card(
    card: Card,
    model: onnx.ModelProto,
    in_float: list[str],
    layers: int,
    error: float,
    calibrated_on: str,
    measured: dict[str, Any],
) -> Card:
    # It cannot be trained further, and the metrics are those of the float network.
    extra = {key: value for key, value in card.extra.items() if key != "architecture"}
    extra["opset"] = opset_of(model)
    extra["quantization"] = {
        "method": "int8 weights per channel, biases corrected for their rounding, uint8 activations by their range, "
        "after training (onnxruntime QDQ)",
        "calibration": calibrated_on,
        "layers": layers,
        "kept_in_float": in_float,
        "depth_error": round(error, 5),
        **measured,
    }
    return replace(card, extra=extra, metrics=[])


def _spread(photos: Photos, count: int) -> Photos:
    """So many of them, evenly spread."""
    return [photos[i] for i in evenly_spread(len(photos), count)]


def _log_error(depth_m: NDArray[np.float32], expected_m: NDArray[np.float32]) -> float:
    error = float(np.abs(np.log(depth_m / expected_m)).mean())
    return error if math.isfinite(error) else math.inf


def _resized(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(1, H, W, 3) to another size by picking pixels."""
    rows = np.arange(height) * photo.shape[1] // height
    columns = np.arange(width) * photo.shape[2] // width
    return photo[:, rows[:, None], columns]
