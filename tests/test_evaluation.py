"""Evaluation on frames and predictions whose numbers can be worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from densedepth.data import Frame
from densedepth.errors import DataError
from densedepth.evaluation import PROTOCOLS, evaluate_model, protocol_for
from densedepth.metrics import METRIC_NAMES
from densedepth.runtime import Card, DepthEstimator, InputCamera
from densedepth.runtime.network import Prediction
from densedepth.types import Camera


class Frames:
    """A data set in memory."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.scenes = [frame.scene for frame in frames]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]


class TenthOfGrey:
    """A network that answers a tenth of the red channel in metres, at the frames' own size."""

    def __init__(self, height: int, width: int) -> None:
        self.card = Card("grey", InputCamera(width=width, height=height, focal_px=float(width)), (0.1, 30.0))

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images[..., 0].astype(np.float32) / np.float32(10)


def frame(depth_m: NDArray[np.floating], red: NDArray[np.integer] | int, key: str = "scene/1.png") -> Frame:
    depth_m = depth_m.astype(np.float32)
    image = np.zeros((*depth_m.shape, 3), np.uint8)
    image[..., 0] = red
    return Frame(image, depth_m, depth_m > 0, None, "scene", key)


def estimator(shape: tuple[int, ...] = (480, 640)) -> DepthEstimator:
    return DepthEstimator(TenthOfGrey(*shape))


def test_numbers_by_hand() -> None:
    truth = np.full((64, 64), 2.0)
    first = frame(truth, 30)  # 3 m for 2 m
    half = np.where(np.arange(64) < 32, 4.0, 0.0) * np.ones((64, 1))
    second = frame(half, 50)  # 5 m for 4 m, and for holes
    result = evaluate_model(estimator((64, 64)), Frames([first, second]), PROTOCOLS["none"], dataset_name="toy")
    assert (result.model, result.dataset, result.protocol, result.images) == ("grey", "toy", "none", 2)
    assert result.per_image["abs_rel"] == pytest.approx((0.5 + 0.25) / 2, rel=1e-5)
    assert result.per_image["rmse"] == pytest.approx(1, rel=1e-5)
    assert result.per_image["sq_rel"] == pytest.approx((0.5 + 0.25) / 2, rel=1e-5)
    assert result.per_image["delta2"] == pytest.approx(0.5 + 0.5)
    assert result.per_image["delta1"] == 0
    # The second has half as many pixels that count.
    assert result.pooled["abs_rel"] == pytest.approx((2 * 0.5 + 0.25) / 3, rel=1e-5)
    assert result.pooled["log10"] == pytest.approx((2 * math.log10(1.5) + math.log10(1.25)) / 3, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "box"), [("nyu-eigen", (45, 471, 41, 601)), ("nyu-densedepth", (20, 460, 24, 616)), ("none", None)]
)
def test_only_errors_inside_the_crop_count(name: str, box: tuple[int, int, int, int] | None) -> None:
    inside = np.ones((480, 640), bool)
    if box is not None:
        inside = np.zeros((480, 640), bool)
        inside[box[0] : box[1], box[2] : box[3]] = True
    # 2 m wherever it counts, predicted 2 m; 9 m outside, predicted 1 m.
    good = frame(np.where(inside, 2.0, 9.0), np.where(inside, 20, 10))
    result = evaluate_model(estimator(), Frames([good]), protocol_for("nyu", name), dataset_name="toy", tta=False)
    # Resizing by the estimator is the identity here, so the border is sharp.
    assert result.pooled["rmse"] == pytest.approx(0, abs=1e-5)
    # One pixel at each corner of the crop is wrong by 1 m.
    top, bottom, left, right = box or (0, 480, 0, 640)
    red = np.full((480, 640), 20)
    for row in (top, bottom - 1):
        for column in (left, right - 1):
            red[row, column] = 30
    wrong = frame(np.full((480, 640), 2.0), red)
    result = evaluate_model(estimator(), Frames([wrong]), protocol_for("nyu", name), dataset_name="toy", tta=False)
    pixels = (bottom - top) * (right - left)
    assert result.pooled["rmse"] == pytest.approx(math.sqrt(4 / pixels), rel=1e-4)


def test_predictions_are_clipped_and_deeper_truth_is_left_out() -> None:
    truth = np.full((64, 64), 5.0)
    truth[:16] = 12.0  # beyond 10 m: does not count
    result = evaluate_model(
        estimator((64, 64)), Frames([frame(truth, 200)]), PROTOCOLS["none"], dataset_name="toy"
    )  # 20 m, clipped to 10
    assert result.pooled["abs_rel"] == pytest.approx(1, rel=1e-5)
    assert result.pooled["rmse"] == pytest.approx(5, rel=1e-5)
    assert result.cap_m == 10


def test_there_is_no_alignment_unless_asked() -> None:
    result = evaluate_model(
        estimator((64, 64)), Frames([frame(np.full((64, 64), 2.0), 40)]), PROTOCOLS["none"], dataset_name="toy"
    )
    assert result.alignment == "none"
    assert result.pooled["abs_rel"] == pytest.approx(1, rel=1e-5)


def test_tta_asks_for_the_mirrored_photo() -> None:
    """A network that sees its left neighbour: with the mirror it sees the mean of both."""

    class Neighbour(TenthOfGrey):
        def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.roll(super().infer(images), 1, axis=2)

    red = np.full((64, 64), 40)
    red[:, 20] = 20
    truth = np.full((64, 64), 4.0)
    frames = Frames([frame(truth, red)])
    rmse = [
        evaluate_model(
            DepthEstimator(Neighbour(64, 64)), frames, PROTOCOLS["none"], dataset_name="toy", tta=tta
        ).pooled["rmse"]
        for tta in (False, True)
    ]
    # One column of 64 wrong by 2 m; two columns wrong by 1 m.
    assert rmse == pytest.approx([math.sqrt(4 / 64), math.sqrt(2 / 64)], rel=1e-4)


def test_wrong_frames_are_named() -> None:
    small = frame(np.full((64, 96), 2.0), 20, "den_0001/7.png")
    with pytest.raises(DataError, match=r"den_0001/7\.png: .*nyu-eigen.*640x480.*96x64"):
        evaluate_model(estimator((64, 96)), Frames([small]), PROTOCOLS["nyu-eigen"], dataset_name="toy")
    blind = frame(np.zeros((64, 96)), 20, "den_0001/8.png")
    fine = frame(np.full((64, 96), 2.0), 20)
    with pytest.raises(DataError, match=r"den_0001/8\.png: no ground truth"):
        evaluate_model(estimator((64, 96)), Frames([fine, blind]), PROTOCOLS["none"], dataset_name="toy")
    border = np.zeros((480, 640))
    border[:45] = 3.0
    with pytest.raises(DataError, match=r"den_0001/9\.png: no ground truth"):
        evaluate_model(
            estimator(), Frames([frame(border, 30, "den_0001/9.png")]), PROTOCOLS["nyu-eigen"], dataset_name="toy"
        )


def test_protocols_by_name() -> None:
    assert protocol_for("nyu").name == "nyu-eigen"
    assert protocol_for("nyu", "none").name == "none"
    assert protocol_for("something").name == "none"
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    with pytest.raises(DataError, match=r"unknown protocol 'eigen'; known: .*nyu-eigen"):
        protocol_for("nyu", "eigen")


def test_json_holds_what_is_needed_to_compare(tmp_path: Path) -> None:
    truth = np.full((480, 640), 2.0)
    result = evaluate_model(estimator(), Frames([frame(truth, 30)]), protocol_for("nyu"), dataset_name="toy test")
    path = result.save_json(tmp_path / "deep" / "out.json")
    values = json.loads(path.read_text())
    promised = {
        *("model", "dataset", "protocol", "crop", "cap_m", "alignment", "tta", "images"),
        *("per_image", "pooled"),
    }
    assert promised <= values.keys()
    assert values["crop"] == "rows 45:471, cols 41:601"
    assert (values["tta"], values["alignment"], values["cap_m"], values["images"]) == (True, "none", 10.0, 1)
    for aggregate in ("per_image", "pooled"):
        assert set(METRIC_NAMES) <= values[aggregate].keys()
        assert values[aggregate]["abs_rel"] == pytest.approx(0.5, rel=1e-5)
    assert [p.name for p in path.parent.iterdir()] == ["out.json"]
    text = str(result)
    for part in ("nyu-eigen", "rows 45:471, cols 41:601", "per image", "pooled", "alignment none"):
        assert part in text


def test_a_told_camera_scales_the_prediction() -> None:
    """Twice the focal length of the training camera: all is twice as far as it looks."""
    truth = np.full((64, 64), 6.0)
    seen = replace(frame(truth, 30), camera=Camera(128.0, 128.0, 32.0, 32.0, 64, 64))
    rules = PROTOCOLS["none"]
    assumed = evaluate_model(estimator((64, 64)), Frames([seen]), rules, dataset_name="toy")
    told = evaluate_model(estimator((64, 64)), Frames([seen]), rules, dataset_name="toy", use_camera=True)
    assert assumed.scale_error == pytest.approx(0.5)
    assert told.scale_error == pytest.approx(0, abs=1e-6)
    assert told.per_image["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert "camera told" in told.protocol_line
    assert "camera told" not in assumed.protocol_line
    assert told.as_json()["use_camera"] is True
    with pytest.raises(DataError, match=r"scene/1\.png: its camera is not known"):
        evaluate_model(estimator((64, 64)), Frames([frame(truth, 30)]), rules, dataset_name="toy", use_camera=True)


class SaysHowSure(TenthOfGrey):
    """Expects the error that its green channel says, in decimetres."""

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        return Prediction(self.infer(images), images[..., 1].astype(np.float32) / np.float32(10))


def test_sparsification_by_hand() -> None:
    """Half of the pixels are 1 m off, half are right; the model knows in one image, is mistaken in the other."""
    truth = np.full((100, 100), 2.0)
    right = np.arange(10_000).reshape(100, 100) % 2 == 0
    red = np.where(right, 20, 30)
    knows, mistaken = frame(truth, red), frame(truth, red, "scene/2.png")
    knows.image[..., 1] = np.where(right, 1, 50)
    mistaken.image[..., 1] = np.where(right, 50, 1)
    network = DepthEstimator(SaysHowSure(100, 100))
    result = evaluate_model(network, Frames([knows]), PROTOCOLS["none"], dataset_name="toy", tta=False)
    assert result.sparsification is not None
    curve = dict(zip(result.sparsification["dropped"], result.sparsification["per_image"]["rmse"], strict=True))
    for dropped, rmse in curve.items():
        assert rmse == pytest.approx(math.sqrt((0.5 - dropped) / (1 - dropped)), abs=1e-6)
    for label in ("per_image", "pooled"):
        assert result.sparsification[label]["rmse"] == pytest.approx(result.sparsification[label]["oracle"], abs=1e-6)
    wrong = evaluate_model(network, Frames([mistaken]), PROTOCOLS["none"], dataset_name="toy", tta=False)
    assert wrong.sparsification is not None
    assert wrong.sparsification["per_image"]["rmse"][-1] == pytest.approx(1)
    assert wrong.sparsification["per_image"]["oracle"] == pytest.approx(list(curve.values()), abs=1e-6)
    assert f"{math.sqrt(0.3 / 0.8) / math.sqrt(0.5) - 1:+.1%}" in str(result)
    json.dumps(result.as_json(), allow_nan=False)
    plain = evaluate_model(estimator((100, 100)), Frames([knows]), PROTOCOLS["none"], dataset_name="toy")
    assert plain.sparsification is None
