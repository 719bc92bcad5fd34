"""Bundles and cards: what is ours loads, anything else is one line."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from conftest import TRAINED, MakeBundle, brightness_depth_m
from densedepth.errors import BundleError
from densedepth.runtime import Bundle, Card, DepthEstimator, available, load, read_card, zoo


def card_text(**changes: object) -> str:
    return json.dumps(json.loads(Card("x", TRAINED, (0.1, 10.0)).to_json()) | changes)


def test_card_round_trip_keeps_unknown_keys(tiny_bundle: MakeBundle) -> None:
    card = read_card(tiny_bundle(card=card_text(mood="good")))
    assert card.input == TRAINED
    assert card.depth_range_m == (0.1, 10.0)
    assert card.extra == {"mood": "good"}
    assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("card", "why"),
    [
        (None, "no densedepth card"),
        ("{", "unusable card"),
        ("[]", "unusable card"),
        (card_text(format=2), "format 2"),
        (card_text(input={"width": 3}), "incomplete"),
        (card_text(input={"width": 3, "height": 0, "focal_px": 5}), "positive"),
        (json.dumps({"format": 1}), "incomplete"),
    ],
)
def test_bad_cards(tiny_bundle: MakeBundle, card: str | None, why: str) -> None:
    path = tiny_bundle(card=card)
    with pytest.raises(BundleError, match=why) as caught:
        read_card(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_bundles(tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle()
    whole = path.read_bytes()
    for content in (b"", b"this is a text", whole[:40], whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BundleError) as caught:
            Bundle(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_model_with_other_inputs_is_refused(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "other", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"densedepth_card": card_text()})
    onnx.save(model, str(tmp_path / "x.onnx"))
    with pytest.raises(BundleError, match="not a depth bundle"):
        Bundle(tmp_path / "x.onnx")


def test_infer_checks_its_input(tiny_bundle: MakeBundle) -> None:
    bundle = Bundle(tiny_bundle(), threads=1)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 40, 3), dtype=np.uint8)
    np.testing.assert_allclose(bundle.infer(images), brightness_depth_m(images), rtol=1e-5)
    for wrong in (images[0], images[:, :31], images.astype(np.float32), images[..., :1]):
        with pytest.raises(ValueError, match="uint8"):
            bundle.infer(wrong)  # type: ignore[arg-type]


def test_a_failing_network_says_why(tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle(tiny_bundle())

    def out_of_memory(*arguments: object) -> None:
        raise RuntimeError("Failed to allocate memory\nfor node Conv_7")

    monkeypatch.setattr(bundle._runner, "run", out_of_memory)
    with pytest.raises(BundleError, match=r"\(1, 32, 32, 3\) \(Failed to allocate memory for node Conv_7\)$"):
        bundle.infer(np.zeros((1, 32, 32, 3), np.uint8))


def test_load_by_name_and_path(tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_bundle("toy.onnx")
    monkeypatch.setattr(zoo, "BUNDLES_DIR", path.parent)
    assert available() == ["toy"]
    for model in ("toy", path, str(path)):
        assert load(model).card.name == "tiny"
    with pytest.raises(BundleError, match=r"unknown model 'joy': shipped are toy"):
        load("joy")
    with pytest.raises(BundleError, match="no such file"):
        load("joy.onnx")


def test_load_checkpoint_goes_through_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = types.ModuleType("densedepth.export")
    made = DepthEstimator.__new__(DepthEstimator)
    export.checkpoint_estimator = lambda path, device, threads: made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "densedepth.export", export)
    assert load(tmp_path) is made
