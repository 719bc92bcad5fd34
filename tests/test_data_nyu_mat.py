"""The labelled .mat: a real HDF5 file as MATLAB 7.3 writes it, and a real splits.mat of MATLAB 5."""

from __future__ import annotations

import csv
import json
import multiprocessing
import pickle
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from conftest import write_tiny_bundle
from densedepth.cli import main
from densedepth.data import open_dataset
from densedepth.data.readers.nyu import KINECT
from densedepth.data.readers.nyu_mat import FILE_NAME, NyuMat
from densedepth.data.readers.nyu_official import official_frames
from densedepth.errors import DataError

RANDOM = np.random.default_rng(0)
COUNT, HEIGHT, WIDTH = 6, 5, 7
IMAGES = RANDOM.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
DEPTHS_M = RANDOM.uniform(0.7, 9.9, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
RAW_M = np.where(RANDOM.uniform(size=DEPTHS_M.shape) < 0.3, 0, DEPTHS_M).astype(np.float32)
SCENES = ["kitchen_0004", "kitchen_0004", "office_0003", "café_0001", "office_0003", "den_0002b"]


def write_mat(
    path: Path,
    images: np.ndarray = IMAGES,
    depths_m: np.ndarray = DEPTHS_M,
    raw_m: np.ndarray | None = RAW_M,
    scenes: list[str] | None = SCENES,
) -> Path:
    """As `save -v7.3` does: a header of 512 bytes, dimensions in reverse, texts as references to UTF-16 arrays."""
    chunked: dict[str, Any] = {"compression": "gzip", "chunks": True}
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("images", data=images.transpose(0, 3, 2, 1), **chunked)
        file.create_dataset("depths", data=depths_m.transpose(0, 2, 1), **chunked)
        if raw_m is not None:
            file.create_dataset("rawDepths", data=raw_m.transpose(0, 2, 1), **chunked)
        if scenes is not None:
            references = file.create_dataset("scenes", (1, len(scenes)), dtype=h5py.ref_dtype)
            for number, scene in enumerate(scenes):
                units = np.frombuffer(scene.encode("utf-16-le"), np.uint16)[:, None]
                text = file.create_dataset(f"#refs#/{number}", data=units)
                text.attrs["MATLAB_class"] = np.bytes_("char")
                references[0, number] = text.ref
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Tue Apr 03 16:08:14 2012 HDF5 schema 1.00 ."
    with path.open("r+b") as file:
        file.write(header.ljust(124) + b"\x00\x02IM")
    return path


def write_splits(path: Path, train: Any, test: Any) -> Path:
    columns = {"trainNdxs": np.atleast_2d(train).T, "testNdxs": np.atleast_2d(test).T}
    scipy.io.savemat(path, columns, format="5")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_mat(tmp_path / FILE_NAME)
    write_splits(tmp_path / "splits.mat", np.array([1, 2, 6], np.uint16), np.array([3, 4, 5], np.uint16))
    return tmp_path


def one_line(error: BaseException, *parts: object) -> None:
    assert "\n" not in str(error)
    for part in parts:
        assert str(part) in str(error), str(error)


def test_frames_stand_upright(root: Path) -> None:
    for where in (root, root / FILE_NAME, str(root)):
        dataset = open_dataset("nyu-mat", where, "train")
        assert list(dataset.scenes) == ["kitchen_0004", "kitchen_0004", "den_0002b"]
        for index, number in enumerate((0, 1, 5)):
            frame = dataset[index]
            np.testing.assert_array_equal(frame.image, IMAGES[number])
            np.testing.assert_array_equal(frame.depth_m, DEPTHS_M[number])
            assert frame.depth_m.dtype == np.float32
            assert frame.valid.all()
            assert frame.key == f"{number:05}"
            assert frame.camera == KINECT.resized(WIDTH, HEIGHT)
    test = NyuMat(root, "test")
    assert test.scenes == ["office_0003", "café_0001", "office_0003"]
    np.testing.assert_array_equal(test[1].image, IMAGES[3])


def test_raw_depth_keeps_its_holes(root: Path) -> None:
    dataset = NyuMat(root, "test", depth="raw")
    for index, number in enumerate((2, 3, 4)):
        frame = dataset[index]
        np.testing.assert_array_equal(frame.depth_m, RAW_M[number])
        np.testing.assert_array_equal(frame.valid, RAW_M[number] > 0)
        assert not frame.valid.all()


def test_border_is_masked_when_asked(tmp_path: Path) -> None:
    path = write_mat(
        tmp_path / FILE_NAME,
        np.zeros((1, 480, 640, 3), np.uint8),
        np.ones((1, 480, 640), np.float32),
        scenes=["a"],
    )
    write_splits(tmp_path / "splits.mat", [1], np.zeros((0,)))
    frame = NyuMat(path, mask_border=True)[0]
    assert frame.valid.sum() == 440 * 592
    assert frame.valid[20:460, 24:616].all()
    assert frame.camera == KINECT


def test_split_by_option(root: Path, tmp_path: Path) -> None:
    named = write_splits(tmp_path / "mine.mat", [2.0, 3.0], [1.0])
    assert NyuMat(root, splits=named).indices == [1, 2]
    assert NyuMat(root, "test", splits=str(named)).indices == [0]


def test_shipped_split_is_the_official_one(shared: Path) -> None:
    frames = official_frames(1449, "here")
    with (shared / "splits" / "nyu_labeled_index.csv").open() as file:
        assert frames == [(row["scene"], row["split"]) for row in csv.DictReader(file)]
    official = scipy.io.loadmat(shared / "splits" / "nyu_splits.mat")
    for part, name, count in (("train", "trainNdxs", 795), ("test", "testNdxs", 654)):
        numbers = [number for number, (_, of) in enumerate(frames, start=1) if of == part]
        assert numbers == official[name].ravel().tolist()
        assert len(numbers) == count


def write_full_size(path: Path, scenes: list[str] | None) -> Path:
    """All 1449 frames, of two pixels each."""
    numbers = np.arange(1449)
    images = np.stack([numbers % 256, numbers // 256, numbers * 0], -1).astype(np.uint8)[:, None, None, :]
    return write_mat(path, images.repeat(2, 2), np.ones((1449, 1, 2), np.float32), None, scenes)


def test_without_splits_and_scenes_the_shipped_list_speaks(tmp_path: Path) -> None:
    path = write_full_size(tmp_path / FILE_NAME, None)
    train, test = NyuMat(path), NyuMat(path, "test")
    assert (len(train), len(test)) == (795, 654)
    assert (len(set(train.scenes)), len(set(test.scenes))) == (249, 215)
    assert not set(train.scenes) & set(test.scenes)
    assert (train.indices[0], test.indices[:3], test.indices[-1]) == (2, [0, 1, 8], 1448)
    assert (train.scenes[0], test.scenes[0]) == ("office_0003", "kitchen_0004")
    assert test[653].image[0, 0].tolist() == [1448 % 256, 1448 // 256, 0]


def test_real_splits_beside_it(tmp_path: Path, shared: Path) -> None:
    path = write_full_size(tmp_path / FILE_NAME, [f"scene {n}" for n in range(1449)])
    shipped = [NyuMat(path, part).indices for part in ("train", "test")]
    (tmp_path / "splits.mat").write_bytes((shared / "splits" / "nyu_splits.mat").read_bytes())
    assert [NyuMat(path, part).indices for part in ("train", "test")] == shipped
    assert NyuMat(path, "test").scenes[2] == "scene 8"


def test_other_count_without_splits_is_no_reason_to_guess(tmp_path: Path) -> None:
    path = write_mat(tmp_path / FILE_NAME)
    with pytest.raises(DataError) as caught:
        NyuMat(path)
    one_line(caught.value, path, "holds 6 frames, the official split is for 1449", "splits.mat")


def damaged_splits(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("trainNdxs = 1..795")
    elif kind == "short":
        path.write_bytes(path.read_bytes()[:150])
    elif kind == "hdf5":
        path.unlink()
        with h5py.File(path, "w", userblock_size=512) as file:
            file["trainNdxs"] = [[1]]
        with path.open("r+b") as opened:
            opened.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    elif kind == "names":
        scipy.io.savemat(path, {"train": [1]})
    elif kind == "zero":
        write_splits(path, [0, 1], [2])
    elif kind == "beyond":
        write_splits(path, [1], [7])
    elif kind == "fraction":
        write_splits(path, [1.5], [2])
    elif kind == "twice":
        write_splits(path, [1, 2], [2])
    elif kind == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "cannot be read as a MATLAB 5 file"),
        ("short", "cannot be read as a MATLAB 5 file"),
        ("hdf5", "cannot be read as a MATLAB 5 file"),
        ("folder", "cannot be read as a MATLAB 5 file"),
        ("names", "holds no 'trainNdxs'"),
        ("zero", "'trainNdxs' must hold frame numbers from 1 to 6"),
        ("beyond", "'testNdxs' must hold frame numbers from 1 to 6"),
        ("fraction", "'trainNdxs' must hold frame numbers"),
        ("twice", "a frame stands twice"),
    ],
)
def test_damaged_splits_never_become_another_split(root: Path, kind: str, message: str) -> None:
    damaged_splits(root / "splits.mat", kind)
    for part in ("train", "test"):
        with pytest.raises(DataError) as caught:
            NyuMat(root, part)
        one_line(caught.value, root / "splits.mat", message)


def test_named_splits_must_be_there(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        NyuMat(root, splits=root / "none.mat")
    one_line(caught.value, root / "none.mat", "cannot be read")


def test_unknown_words(root: Path) -> None:
    with pytest.raises(DataError, match="no split 'val'"):
        open_dataset("nyu-mat", root, "val")
    with pytest.raises(DataError, match="'filled' or 'raw', not 'rwa'"):
        open_dataset("nyu-mat", root, "train", depth="rwa")
    with pytest.raises(DataError, match="has: splits, depth, mask_border"):
        open_dataset("nyu-mat", root, "train", split_file="x")


def test_no_such_file(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "x.mat"):
        with pytest.raises(DataError) as caught:
            NyuMat(where)
        one_line(caught.value, where, "no such file")


@pytest.mark.parametrize("kind", ["short", "matlab 5", "text", "empty"])
def test_no_hdf5(root: Path, kind: str) -> None:
    path = root / FILE_NAME
    if kind == "short":
        path.write_bytes(path.read_bytes()[:-500])
    elif kind == "matlab 5":
        scipy.io.savemat(path, {"images": IMAGES})
    else:
        path.write_text("version https://git-lfs.github.com" if kind == "text" else "")
    with pytest.raises(DataError) as caught:
        NyuMat(root)
    one_line(caught.value, path, "no HDF5 file, or cut short")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": IMAGES[..., :2]}, "'images' should have the shape ('any', 3, 'any', 'any'), it has (6, 2, 7, 5)"),
        ({"depths_m": DEPTHS_M[:5]}, "'depths' should have the shape (6, 7, 5), it has (5, 7, 5)"),
        ({"depths_m": DEPTHS_M[:, :4]}, "'depths' should have the shape (6, 7, 5), it has (6, 7, 4)"),
        ({"scenes": SCENES[:5]}, "names 5 scenes for 6 frames"),
    ],
)
def test_another_layout(root: Path, options: dict[str, Any], message: str) -> None:
    write_mat(root / FILE_NAME, **options)
    with pytest.raises(DataError) as caught:
        NyuMat(root)
    one_line(caught.value, root / FILE_NAME, message)


def test_raw_depth_that_is_not_there(root: Path) -> None:
    write_mat(root / FILE_NAME, raw_m=None)
    with pytest.raises(DataError) as caught:
        NyuMat(root, depth="raw")
    one_line(caught.value, root / FILE_NAME, "holds no array 'rawDepths'", "depths")


def test_scenes_that_are_no_references(root: Path) -> None:
    with h5py.File(root / FILE_NAME, "r+") as file:
        del file["scenes"]
        file["scenes"] = np.arange(6.0)
    with pytest.raises(DataError) as caught:
        NyuMat(root)
    one_line(caught.value, root / FILE_NAME, "'scenes' is not a list of names")


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "NaN or infinite"), (-1, "negative depth"), (0, "no pixel has a depth")]
)
def test_damaged_depth_names_its_frame(root: Path, value: float, message: str) -> None:
    depths_m = DEPTHS_M.copy()
    depths_m[1] = value
    write_mat(root / FILE_NAME, depths_m=depths_m)
    dataset = NyuMat(root)
    with pytest.raises(DataError) as caught:
        dataset[1]
    one_line(caught.value, root / FILE_NAME, "depths, frame 2", message)
    assert dataset[0].valid.all()


def test_damaged_chunk_names_its_array(root: Path) -> None:
    path = root / FILE_NAME
    with h5py.File(path) as file:
        _, chunk = file["depths"].id.read_direct_chunk((0, 0, 0))
    data = path.read_bytes()
    assert data.count(chunk) == 1
    path.write_bytes(data.replace(chunk, b"\xff" * len(chunk)))
    with pytest.raises(DataError) as caught:
        NyuMat(root)[0]
    one_line(caught.value, path, "'depths' cannot be read")


def _read_in_child(dataset: NyuMat, indices: list[int], channel: Any) -> None:
    channel.send([dataset[index].depth_m for index in indices])


def test_forked_processes_share_no_handle(root: Path) -> None:
    """As the workers of a loader get it: inherited, with the file open in the parent."""
    images = RANDOM.integers(0, 256, (64, 60, 80, 3), dtype=np.uint8)
    depths_m = RANDOM.uniform(1, 9, (64, 60, 80)).astype(np.float32)
    write_mat(root / FILE_NAME, images, depths_m, None, ["a"] * 64)
    write_splits(root / "splits.mat", np.arange(1, 65), np.zeros((0,)))
    dataset = NyuMat(root)
    dataset[0]
    context = multiprocessing.get_context("fork")
    orders = [RANDOM.permutation(64).tolist() for _ in range(3)]
    channels, children = [], []
    for order in orders:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_read_in_child, args=(dataset, order, theirs))
        child.start()
        channels.append(ours)
        children.append(child)
    for index in range(64):
        np.testing.assert_array_equal(dataset[index].depth_m, depths_m[index])
    for order, channel in zip(orders, channels, strict=True):
        assert channel.poll(60), "a child did not answer"
        for index, depth_m in zip(order, channel.recv(), strict=True):
            np.testing.assert_array_equal(depth_m, depths_m[index])
    for child in children:
        child.join(60)


def test_pickled_after_use(root: Path) -> None:
    dataset = NyuMat(root)
    dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy[2].image, IMAGES[5])


@pytest.mark.parametrize("package", ["h5py"])
def test_what_to_install(root: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError) as caught:
        NyuMat(root)
    one_line(caught.value, root, f"needs {package}", "pip install densedepth[train]")


def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mat(
        tmp_path / FILE_NAME,
        np.full((2, 480, 640, 3), 50, np.uint8),
        np.full((2, 480, 640), 2, np.float32),
        np.full((2, 480, 640), 3, np.float32),
        ["a", "b"],
    )
    write_splits(tmp_path / "splits.mat", [1], [2])
    model = write_tiny_bundle(tmp_path / "tiny.onnx")
    words = ["evaluate", "--model", str(model), "--dataset", "nyu-mat", "--root", str(tmp_path)]
    for depth, truth_m in (("filled", 2), ("raw", 3)):
        written = tmp_path / f"{depth}.json"
        assert main([*words, "--options.depth", depth, "--json", str(written)]) == 0, capsys.readouterr().err
        result = json.loads(written.read_text())
        assert (result["images"], result["protocol"]) == (1, "nyu-eigen")
        predicted_m = 0.1 + 50 / 255 * 9
        assert result["per_image"]["rmse"] == pytest.approx(truth_m - predicted_m, abs=1e-4)
