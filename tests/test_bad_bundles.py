"""Bundles that are not what they say: one line each, and nothing outside the file is ever read."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from conftest import TRAINED, MakeBundle
from densedepth.cli import main
from densedepth.errors import BundleError, NoBundleError
from densedepth.runtime import Bundle, Card, load, read_card
from densedepth.runtime.card import CARD_KEY
from densedepth.runtime.onnx_metadata import MAX_METADATA_BYTES

IMAGES: NDArray[np.uint8] = np.full((1, 32, 40, 3), 100, np.uint8)


def card_text(**changes: object) -> str:
    return json.dumps(json.loads(Card("x", TRAINED, (0.1, 10.0)).to_json()) | changes)


def changed(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    """The bundle with `change` done to its model."""
    model = onnx.load(str(path), load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def answering(path: Path, value: float) -> Path:
    """The bundle with `value` metres added to all its depth, which is 0.1 m for black and 3.63 m for `IMAGES`."""

    def change(model: onnx.ModelProto) -> None:
        (nearest,) = [tensor for tensor in model.graph.initializer if tensor.name == "nearest"]
        nearest.CopyFrom(numpy_helper.from_array(np.array(0.1 + value, np.float32), "nearest"))

    return changed(path, change)


def one_line(error: BaseException, path: Path) -> str:
    assert "\n" not in str(error)
    assert str(error).startswith(f"{path}: ")
    assert len(str(error)) < 400
    return str(error)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"input": {"width": 10**9, "height": 10**9, "focal_px": 5}}, "at most 8192"),
        ({"input": {"width": 10**400, "height": 3, "focal_px": 5}}, "too large"),
        ({"input": {"width": 320.5, "height": 240, "focal_px": 5}}, "must be whole"),
        ({"input": {"width": 320, "height": 240, "focal_px": float("nan")}}, "must be positive"),
        ({"input": {"width": "320", "height": 240, "focal_px": 5}}, "incomplete"),
        ({"input": [320, 240, 5]}, "incomplete"),
        ({"depth_range_m": [10, 0.1]}, "the nearer first, got 10 and 0.1 m"),
        ({"depth_range_m": [0, 10]}, "the nearer first"),
        ({"depth_range_m": [-1, 10]}, "the nearer first"),
        ({"depth_range_m": [0.1, float("inf")]}, "the nearer first"),
        ({"depth_range_m": [float("nan"), 10]}, "the nearer first"),
        ({"depth_range_m": [0.1, 1e12]}, "the nearer first"),
        ({"depth_range_m": [1, 2, 3]}, "unusable card"),
        ({"depth_range_m": "ab"}, "unusable card"),
        ({"depth_range_m": None}, "incomplete"),
        ({"name": 5}, "must be texts"),
        ({"license": ["MIT"]}, "must be texts"),
        ({"metrics": {"delta1": 1}}, "list of objects"),
        ({"metrics": [1]}, "list of objects"),
        ({"extra": {}}, "incomplete"),
    ],
)
def test_absurd_cards(changes: dict[str, Any], why: str, tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle(card=card_text(**changes))
    with pytest.raises(BundleError, match=why) as caught:
        load(path)
    one_line(caught.value, path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        (card_text(name="x" * (MAX_METADATA_BYTES + 1)), "metadata of 40"),
        ("1" * 10_000, "unusable card"),
    ],
    ids=["deep", "huge", "number"],
)
def test_cards_made_to_break_the_reader(text: str, why: str, tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle(card=text)
    with pytest.raises(BundleError, match=why) as caught:
        load(path)
    one_line(caught.value, path)


def test_a_long_card_is_fine(tiny_bundle: MakeBundle) -> None:
    assert len(read_card(tiny_bundle(card=card_text(training_data="x" * 500_000))).training_data) == 500_000


def test_another_tools_model(tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle(card=None)
    with pytest.raises(
        NoBundleError, match="no densedepth card in it; make bundles with `densedepth export`"
    ) as caught:
        load(path)
    one_line(caught.value, path)


def test_every_cut_is_noticed(tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError) as caught:
            load(path)
        one_line(caught.value, path)


def test_flipped_bits_never_end_in_a_traceback(tiny_bundle: MakeBundle) -> None:
    path = tiny_bundle()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Bundle(path, threads=1).infer(IMAGES)
        except BundleError as error:
            refused += 1
            one_line(error, path)
    assert refused > 40


def _retype(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def _rename(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.input[0].name = "pixels"


def _drop(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = model.graph.output[0].name = "disparity"


def _ask_for_more(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("focal_px", TensorProto.FLOAT, ["n"]))


@pytest.mark.parametrize("change", [_retype, _rename, _drop, _ask_for_more])
def test_a_card_on_another_network(change: Callable[[onnx.ModelProto], None], tiny_bundle: MakeBundle) -> None:
    path = changed(tiny_bundle(), change)
    with pytest.raises(BundleError, match=r"not a depth bundle: inputs|onnxruntime cannot load it") as caught:
        load(path)
    one_line(caught.value, path)


def test_a_network_of_one_fixed_size(tiny_bundle: MakeBundle) -> None:
    def fix(model: onnx.ModelProto) -> None:
        for number, size in ((1, 224), (2, 224)):
            model.graph.input[0].type.tensor_type.shape.dim[number].dim_value = size

    path = changed(tiny_bundle(), fix)
    with pytest.raises(BundleError, match=r"the network failed on images of shape \(1, 32, 40, 3\)") as caught:
        load(path).infer(IMAGES)
    one_line(caught.value, path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -5.0, -3.7])
def test_what_cannot_be_a_depth_is_an_error(value: float, tiny_bundle: MakeBundle) -> None:
    path = answering(tiny_bundle(), value)
    with pytest.raises(BundleError, match="which is no depth; get another copy") as caught:
        load(path).infer(IMAGES)
    one_line(caught.value, path)


def test_a_single_nan_is_enough(tiny_bundle: MakeBundle) -> None:
    def root_of_dark(model: onnx.ModelProto) -> None:  # below 3 m: the root of a negative number
        model.graph.initializer.append(numpy_helper.from_array(np.array(3, np.float32), "three"))
        model.graph.node[-1].output[0] = "metres"
        model.graph.node.append(helper.make_node("Sub", ["metres", "three"], ["beyond"]))
        model.graph.node.append(helper.make_node("Sqrt", ["beyond"], ["depth_m"]))

    estimator = load(changed(tiny_bundle(), root_of_dark))
    images = IMAGES.copy()
    estimator.infer(images)
    images[0, 5, 6] = 0
    with pytest.raises(BundleError, match="nan"):
        estimator.infer(images)


@pytest.mark.parametrize(("value", "named"), [(50.0, "53.6 to 53.6 m"), (-3.6, "0.0294 to 0.0294 m")])
def test_a_card_that_lies_about_its_range_is_named_once(value: float, named: str, tiny_bundle: MakeBundle) -> None:
    path = answering(tiny_bundle(), value)
    estimator = load(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        depth_m = estimator.infer(IMAGES)
        estimator.infer(IMAGES)
    assert [str(each.message) for each in caught] == [
        f"{path}: predicts {named}, but its card says 0.1 to 10 m: do not trust its metres before you have measured "
        "them (densedepth evaluate)"
    ]
    np.testing.assert_allclose(depth_m, 0.1 + 100 / 255 * 9 + value, rtol=1e-5)  # as the network says


def test_a_percent_beyond_the_range_is_rounding(tiny_bundle: MakeBundle) -> None:
    path = answering(tiny_bundle(), 6.45)  # 10.08 m
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path).infer(IMAGES)


def test_the_warning_is_one_line_of_the_command(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(3)]
    for photo in photos:
        Image.fromarray(IMAGES[0]).save(photo)
    words = ["predict", *map(str, photos), "-o", str(tmp_path / "out"), "--model"]
    lying = answering(tiny_bundle(), 50.0)
    with warnings.catch_warnings():  # as in a program of its own: pytest would keep them
        warnings.simplefilter("default")
        warnings.showwarning = _shown
        assert main([*words, str(lying)]) == 0
    error = capsys.readouterr().err
    assert [line for line in error.splitlines() if "warning" in line] == [
        f"warning: {lying}: predicts 53.6 to 53.6 m, but its card says 0.1 to 10 m: do not trust its metres before you "
        "have measured them (densedepth evaluate)"
    ]
    broken = answering(tiny_bundle("nan.onnx"), np.nan)
    assert main([*words, str(broken), "--overwrite"]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "which is no depth" in captured.err


def _shown(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
    import sys

    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def _outside(tensor: TensorProto, place: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)


def _initializer(model: onnx.ModelProto, place: str) -> None:
    _outside(model.graph.initializer[0], place)


def _constant(model: onnx.ModelProto, place: str) -> None:
    node = helper.make_node("Constant", [], ["unused"], value=numpy_helper.from_array(np.zeros(4, np.float32), "w"))
    _outside(node.attribute[0].t, place)
    model.graph.node.append(node)


def _branch(model: onnx.ModelProto, place: str) -> None:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    _outside(tensor, place)
    value = helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])
    branch = helper.make_graph([], "branch", [], [value], [tensor])
    model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))


def _sparse(model: onnx.ModelProto, place: str) -> None:
    sparse = model.graph.sparse_initializer.add()
    _outside(sparse.values, place)


def _function(model: onnx.ModelProto, place: str) -> None:
    node = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.zeros(4, np.float32), "w"))
    _outside(node.attribute[0].t, place)
    model.functions.append(helper.make_function("own", "f", [], ["y"], [node], [helper.make_opsetid("", 17)]))


@pytest.mark.parametrize("where", [_initializer, _constant, _branch, _sparse, _function])
@pytest.mark.parametrize("place", ["weights.bin", "../../../etc/passwd"])
def test_weights_in_other_files_are_refused(
    place: str, where: Callable[[onnx.ModelProto, str], None], tiny_bundle: MakeBundle
) -> None:
    path = changed(tiny_bundle(), lambda model: where(model, place))
    (path.parent / "weights.bin").write_bytes(np.zeros(16, np.float32).tobytes())
    with pytest.raises(BundleError, match=r"keeps weights in another file .*; a bundle is one file") as caught:
        load(path)
    assert repr(place) in one_line(caught.value, path)


def test_a_tensor_called_location_is_no_other_file(tiny_bundle: MakeBundle) -> None:
    def rename(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = ["location" if name == "grey" else name for name in names]

    assert load(changed(tiny_bundle(), rename)).infer(IMAGES).shape == (1, 32, 40)


def test_the_card_key_is_what_export_writes() -> None:
    assert CARD_KEY == "densedepth_card"
