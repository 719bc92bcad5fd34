"""Unreal-1k: encoded pictures with red and blue exchanged, depth in centimetres, the authors' split."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from densedepth.data import open_dataset
from densedepth.data.readers.unreal import Unreal
from densedepth.errors import DataError

RANDOM = np.random.default_rng(0)
COUNT = 105
IMAGES = RANDOM.integers(0, 256, (COUNT, 6, 8, 3), dtype=np.uint8)
DEPTHS_CM = RANDOM.uniform(20, 3000, (COUNT, 6, 8)).astype(np.float32)


def encoded(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[..., ::-1])).save(buffer, "PNG")
    return buffer.getvalue()


def write_unreal(path: Path, form: str = "uint8", count: int = COUNT) -> Path:
    with h5py.File(path, "w") as file:
        for n in range(count):
            data = encoded(IMAGES[n])
            forms = {"uint8": np.frombuffer(data, np.uint8), "opaque": np.void(data)}
            if form == "string":
                file.create_dataset(f"x/{n}", data=data, dtype=h5py.string_dtype("ascii", len(data)))
            else:
                file[f"x/{n}"] = forms[form]
            file[f"y/{n}"] = DEPTHS_CM[n] if n % 2 else DEPTHS_CM[n, ..., None]
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_unreal(tmp_path / "unreal_1k.h5")


def one_line(error: BaseException, *parts: object) -> None:
    assert "\n" not in str(error)
    for part in parts:
        assert str(part) in str(error), str(error)


@pytest.mark.parametrize("form", ["uint8", "opaque", "string"])
def test_frames(path: Path, form: str) -> None:
    write_unreal(path, form)
    for where in (path, path.parent):
        dataset = open_dataset("unreal", where, "test")
        for index in (0, 50, 99):
            frame = dataset[index]
            number = int(frame.key)
            np.testing.assert_array_equal(frame.image, IMAGES[number])
            np.testing.assert_allclose(frame.depth_m, DEPTHS_CM[number] / 100, rtol=1e-6)
            assert frame.depth_m.dtype == np.float32
            assert frame.valid.all()
            assert frame.camera is None
            assert frame.scene == dataset.scenes[index] == frame.key


def test_split_is_that_of_the_authors_program(path: Path) -> None:
    train, test = Unreal(path), Unreal(path, "test")
    names = sorted(str(n) for n in range(COUNT))
    order = np.random.RandomState(0).permutation(COUNT)
    assert train.scenes + test.scenes == [names[n] for n in order]
    assert (len(train), len(test)) == (5, 100)
    with pytest.raises(DataError, match="no split 'val'"):
        open_dataset("unreal", path, "val")


def test_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError) as caught:
        Unreal(path)
    one_line(caught.value, path, "needs h5py", "pip install densedepth[train]")


def test_pickled_after_use(path: Path) -> None:
    dataset = Unreal(path)
    frame = dataset[3]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dataset))[3].image, frame.image)


def test_too_few_frames(tmp_path: Path) -> None:
    path = write_unreal(tmp_path / "few.h5", count=100)
    with pytest.raises(DataError) as caught:
        Unreal(path)
    one_line(caught.value, path, "holds 100 frames")


@pytest.mark.parametrize(("lost", "left"), [("y/7", "x (the picture)"), ("x/7", "y (the depth)")])
def test_half_a_pair(path: Path, lost: str, left: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[lost]
    with pytest.raises(DataError) as caught:
        Unreal(path)
    one_line(caught.value, path, "1 frames are not pairs", f"'7', has only {left}")


def test_another_file(tmp_path: Path, path: Path) -> None:
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["images"] = [1]
    with pytest.raises(DataError) as caught:
        Unreal(tmp_path / "b.h5")
    one_line(caught.value, tmp_path / "b.h5", "holds no group 'x'", "it holds: images")
    with pytest.raises(DataError) as caught:
        Unreal(tmp_path)
    one_line(caught.value, tmp_path, "holds 2 .h5 files")
    with pytest.raises(DataError) as caught:
        Unreal(tmp_path / "none.h5")
    one_line(caught.value, tmp_path / "none.h5", "no such file")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError) as caught:
        Unreal(path)
    one_line(caught.value, path, "no HDF5 file, or cut short")


@pytest.mark.parametrize(
    ("side", "content", "message"),
    [
        ("x", np.frombuffer(b"no picture", np.uint8), "not a picture we can read"),
        ("x", np.frombuffer(encoded(IMAGES[0])[:60], np.uint8), "damaged or cut short"),
        ("x", np.zeros(0, np.uint8), "not a picture"),
        ("y", np.ones((6, 9)), "depth is 9x6, its photo 8x6"),
        ("y", np.ones((6, 8, 3)), "depth must be float (H, W)"),
        ("y", np.full((6, 8), b"a"), "depth must be numbers"),
        ("y", np.full((6, 8), np.nan), "NaN"),
        ("y", np.full((6, 8), -1), "negative"),
        ("y", np.zeros((6, 8)), "no pixel has a depth"),
    ],
)
def test_damaged_frame_names_its_entry(path: Path, side: str, content: np.ndarray, message: str) -> None:
    key = Unreal(path).scenes[1]
    with h5py.File(path, "r+") as file:
        del file[f"{side}/{key}"]
        file[f"{side}/{key}"] = content
    dataset = Unreal(path)
    with pytest.raises(DataError) as caught:
        dataset[1]
    one_line(caught.value, f"{path}: {side}/{key}", message)
    assert dataset[0].valid.all()
