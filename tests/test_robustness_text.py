"""Tables and cards of any text: a valid result, or one line that names the file."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import TRAINED
from densedepth.data.readers.archive import Folder
from densedepth.data.readers.folder_index import index_folder
from densedepth.data.readers.nyu_rows import CAMERA_COLUMNS, read_cameras, read_pairs
from densedepth.data.readers.nyu_sync import NyuSync
from densedepth.errors import DataError, DenseDepthError
from densedepth.runtime import Card
from densedepth.types import Camera

CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["a.png", "data/a.jpg", "../a.png", "", '"', "'", "1e999", "nan", "-0", "9" * 400, "x" * 300, "\0"]
    ),
    st.floats().map(repr),
    st.integers().map(str),
)
ROWS = st.lists(st.lists(CELLS, max_size=9).map(",".join), max_size=6).map("\n".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)
quick = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check(error: DenseDepthError, path: Path) -> None:
    text = str(error)
    assert len(text.splitlines()) == 1
    assert str(path.parent) in text


@quick
@given(header=st.sampled_from(["image,depth", "depth,image,scene,split,fx,fy,cx,cy", ""]), rows=ROWS)
def test_any_manifest(header: str, rows: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(f"{header}\n{rows}".encode("utf-8", "surrogatepass"))
    try:
        index_folder(tmp_path)
    except DataError as error:
        check(error, path)


@quick
@given(text=st.binary(max_size=80) | ROWS.map(str.encode))
def test_any_rows_of_the_nyu_layout(text: bytes, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    (data / "a.png").write_bytes(b"1")
    (data / "nyu2_train.csv").write_bytes(text)
    try:
        read_pairs(Folder(tmp_path), "data/nyu2_train.csv")
    except DataError as error:
        check(error, data / "nyu2_train.csv")


@quick
@given(rows=ROWS, numbers=st.lists(CELLS, min_size=6, max_size=6))
def test_any_cameras(rows: str, numbers: list[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    text = "\n".join([",".join(CAMERA_COLUMNS), ",".join(["data/a.png", *numbers]), rows])
    (data / "intrinsics.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        cameras = read_cameras(Folder(tmp_path), "data/nyu2_train.csv", [("data/a.png", "data/b.png")])
    except DataError as error:
        check(error, data / "intrinsics.csv")
    else:
        assert cameras is not None
        assert isinstance(cameras[0], Camera)


@quick
@given(text=st.text(max_size=60) | st.lists(CELLS, max_size=3).map(" ".join))
def test_any_list_of_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nyudepthv2_train_files_with_gt.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        NyuSync(tmp_path)
    except DataError as error:
        check(error, path)


CARD = json.loads(Card("x", TRAINED, (0.1, 10.0), license="MIT").to_json())


@quick
@given(changes=st.dictionaries(st.sampled_from(sorted(CARD)), JSON, min_size=1, max_size=3))
def test_any_values_in_a_card(changes: dict[str, object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            card = Card.from_json(json.dumps(CARD | changes))
        except ValueError:
            return
        assert Card.from_json(card.to_json()) == card


@quick
@given(text=st.text(max_size=60) | JSON.map(json.dumps))
def test_any_text_as_a_card(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Card.from_json(text)


@quick
@given(values=st.fixed_dictionaries(dict.fromkeys(("fx", "fy", "cx", "cy", "width", "height"), JSON)))
def test_any_numbers_as_a_camera(values: dict[str, object]) -> None:
    with suppress(ValueError):
        Camera.from_dict(values)
