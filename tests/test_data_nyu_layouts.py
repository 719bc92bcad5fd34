"""The NYU test set as .npy arrays, and the folders of rgb_00045.jpg with sync_depth_00045.png."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import write_tiny_bundle
from densedepth.cli import main
from densedepth.data import open_dataset
from densedepth.data.readers.nyu import KINECT
from densedepth.data.readers.nyu_npy import NyuNpy
from densedepth.data.readers.nyu_sync import NyuSync
from densedepth.errors import DataError, DenseDepthError
from densedepth.evaluation import protocol_for

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)
DEPTH_M = RANDOM.uniform(0.7, 9.9, (5, 6, 8)).astype(np.float32)


def one_line(error: BaseException, *parts: object) -> None:
    assert "\n" not in str(error)
    for part in parts:
        assert str(part) in str(error), str(error)


def write_npy(folder: Path, rgb: Any = RGB, depth: Any = DEPTH_M, crop: Any = (1, 4, 2, 6)) -> Path:
    for name, array in (("rgb", rgb), ("depth", depth), ("crop", crop)):
        np.save(folder / f"eigen_test_{name}.npy", np.asarray(array))
    return folder


def test_npy_frames(tmp_path: Path) -> None:
    dataset = open_dataset("nyu-npy", write_npy(tmp_path), "test")
    assert len(dataset) == len(dataset.scenes) == 5
    for index in (4, 0, 2):
        frame = dataset[index]
        np.testing.assert_array_equal(frame.image, RGB[index])
        np.testing.assert_array_equal(frame.depth_m, DEPTH_M[index])
        assert frame.depth_m.dtype == np.float32
        assert frame.valid.all()
        assert frame.key == f"0000{index}"
        assert frame.camera == KINECT.resized(8, 6)


@pytest.mark.parametrize("white", [1.0, 255.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy_floats(tmp_path: Path, white: float, dtype: Any) -> None:
    rgb = (RGB / 255 * white).astype(dtype)
    dataset = NyuNpy(write_npy(tmp_path, rgb, DEPTH_M.astype(np.float64)))
    for index in range(5):
        np.testing.assert_array_equal(dataset[index].image, RGB[index])
    assert dataset[0].depth_m.dtype == np.float32


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_npy_float_of_another_scale_in_one_frame(tmp_path: Path, value: float) -> None:
    rgb = (RGB / 255).astype(np.float32)
    rgb[1, 2, 3] = value
    dataset = NyuNpy(write_npy(tmp_path, rgb))
    with pytest.raises(DataError) as caught:
        dataset[1]
    one_line(caught.value, tmp_path / "eigen_test_rgb.npy", "frame 1", "0..1")
    assert dataset[0].valid.all()


def test_npy_crop_includes_its_last_row_and_column(tmp_path: Path) -> None:
    write_npy(tmp_path)
    expected = np.zeros((6, 8), bool)
    expected[1:5, 2:7] = True
    np.testing.assert_array_equal(NyuNpy(tmp_path, mask_crop=True)[0].valid, expected)
    for crop in ((1, 6, 2, 6), (-1, 4, 2, 6), (4, 1, 2, 6), (1, 4, 2), ("a", "b", "c", "d")):
        write_npy(tmp_path, crop=crop)
        assert NyuNpy(tmp_path)[0].valid.all()
        with pytest.raises(DataError) as caught:
            NyuNpy(tmp_path, mask_crop=True)
        one_line(caught.value, tmp_path / "eigen_test_crop.npy", "first and last row")


def test_npy_is_mapped_and_small_when_pickled(tmp_path: Path) -> None:
    dataset = NyuNpy(write_npy(tmp_path, RANDOM.integers(0, 256, (9, 60, 80, 3), np.uint8), np.ones((9, 60, 80))))
    dataset[3]
    packed = pickle.dumps(dataset)
    assert len(packed) < 2000
    np.testing.assert_array_equal(pickle.loads(packed)[3].image, dataset[3].image)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("depth", {"depth": DEPTH_M[0]}, "must be float (N, H, W)"),
        ("depth", {"depth": (DEPTH_M * 1000).astype(np.uint16)}, "it is uint16 (5, 6, 8)"),
        ("rgb", {"rgb": RGB[:4]}, "to fit its depth, it is uint8 (4, 6, 8, 3)"),
        ("rgb", {"rgb": RGB.astype(np.int32)}, "it is int32"),
        ("depth", {"rgb": RGB[:0], "depth": DEPTH_M[:0]}, "holds no frame"),
    ],
)
def test_npy_of_another_shape(tmp_path: Path, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        NyuNpy(write_npy(tmp_path, **options))
    one_line(caught.value, tmp_path / f"eigen_test_{name}.npy", message)


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("kind", ["missing", "short", "text", "empty", "pickle"])
def test_npy_that_is_none(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_npy(tmp_path))
    path = tmp_path / "eigen_test_depth.npy"
    if kind == "missing":
        path.unlink()
    elif kind == "short":
        path.write_bytes(path.read_bytes()[:-10])
    elif kind == "pickle":
        np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    else:
        path.write_text("no array" if kind == "text" else "")
    with pytest.raises(DataError) as caught:
        NyuNpy(tmp_path)
    one_line(caught.value, path, "unzip" if kind == "missing" else "no .npy array, or cut short")
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (-1, "negative"), (0, "no pixel has a depth")])
def test_npy_damaged_depth(tmp_path: Path, value: float, message: str) -> None:
    depth = DEPTH_M.copy()
    depth[3] = value
    with pytest.raises(DataError) as caught:
        NyuNpy(write_npy(tmp_path, depth=depth))[3]
    one_line(caught.value, tmp_path / "eigen_test_depth.npy", "frame 3", message)


def test_npy_is_a_test_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'train'"):
        open_dataset("nyu-npy", write_npy(tmp_path), "train")


def write_pair(folder: Path, number: str, value_mm: int = 1000, photo_suffix: str = ".jpg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo = np.full((6, 8, 3), int(number) % 256, np.uint8)
    Image.fromarray(photo).save(folder / f"rgb_{number}{photo_suffix}")
    depth = np.full((6, 8), value_mm, np.uint16)
    depth[0, 0] = 0
    Image.fromarray(depth).save(folder / f"sync_depth_{number}.png")


@pytest.fixture
def sync(tmp_path: Path) -> Path:
    root = tmp_path / "frames"
    write_pair(root / "kitchen_0028b", "00045", 1234)
    write_pair(root / "kitchen_0028b", "00007", 2000)
    write_pair(root / "deep" / "bathroom_0001", "00000", 65535, ".png")
    return root


def test_sync_finds_all_pairs(sync: Path) -> None:
    dataset = open_dataset("nyu-sync", sync, "train")
    assert list(dataset.scenes) == ["deep/bathroom_0001", "kitchen_0028b", "kitchen_0028b"]
    frame = dataset[2]
    assert frame.key == "kitchen_0028b/rgb_00045.jpg"
    assert frame.image[0, 0].tolist() == [45, 45, 45]
    assert frame.depth_m[1, 1] == pytest.approx(1.234)
    assert not frame.valid[0, 0]
    assert frame.valid.sum() == 47
    assert frame.camera == KINECT.resized(8, 6)
    assert NyuSync(sync / "kitchen_0028b").scenes == ["kitchen_0028b"] * 2


def test_sync_masks_the_border_when_asked(sync: Path) -> None:
    frame = NyuSync(sync, mask_border=True)[0]
    assert 0 < frame.valid.sum() < 48


def test_sync_without_parts_has_no_test(sync: Path) -> None:
    with pytest.raises(DataError) as caught:
        NyuSync(sync, "test")
    one_line(caught.value, sync, "no part 'test'", "all is 'train'", "nyudepthv2_test_files_with_gt.txt", "test/")
    with pytest.raises(DataError, match="no split 'val'"):
        open_dataset("nyu-sync", sync, "val")


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("sync", "official_splits/test"), ("official_splits/train", "test")]
)
def test_sync_parts_by_folder(tmp_path: Path, train: str, test: str) -> None:
    write_pair(tmp_path / train / "a_0001", "00001")
    write_pair(tmp_path / train / "a_0001", "00002")
    with pytest.raises(DataError, match="has no part 'test': it has only"):
        NyuSync(tmp_path, "test")
    write_pair(tmp_path / test / "b_0001", "00003")
    assert NyuSync(tmp_path).scenes == ["a_0001"] * 2
    assert NyuSync(tmp_path, "test").scenes == ["b_0001"]


def test_sync_test_frames_never_become_training_frames(tmp_path: Path) -> None:
    write_pair(tmp_path / "test" / "b_0001", "00003")
    with pytest.raises(DataError) as caught:
        NyuSync(tmp_path)
    one_line(caught.value, tmp_path, "has no part 'train'", "it has only test")
    (tmp_path / "test").rename(tmp_path / "b_0001")
    (tmp_path / "nyudepthv2_test_files_with_gt.txt").write_text("x")
    with pytest.raises(DataError) as caught:
        NyuSync(tmp_path)
    one_line(caught.value, tmp_path, "it has only nyudepthv2_test_files_with_gt.txt")


def test_sync_list(sync: Path, tmp_path: Path) -> None:
    rows = [
        "/kitchen_0028b/rgb_00045.jpg /kitchen_0028b/sync_depth_00045.png 518.8579",
        "deep/bathroom_0001/rgb_00000.png deep/bathroom_0001/sync_depth_00000.png 600",
        "",
        "kitchen_0028b/rgb_00007.jpg\tkitchen_0028b/sync_depth_00007.png",
    ]
    (sync / "nyudepthv2_test_files_with_gt.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    dataset = NyuSync(sync, "test")
    assert dataset.scenes == ["kitchen_0028b", "deep/bathroom_0001", "kitchen_0028b"]
    assert [pair.camera.fx for pair in dataset.pairs] == [518.8579, 600, 518.8579]
    assert dataset.pairs[0].camera == KINECT
    assert dataset[1].depth_m.max() == pytest.approx(65.535)
    elsewhere = tmp_path / "mine.txt"
    elsewhere.write_text(rows[0])
    assert len(open_dataset("nyu-sync", sync, "train", files=str(elsewhere))) == 1


def test_sync_list_of_the_usual_folders(tmp_path: Path) -> None:
    write_pair(tmp_path / "sync" / "kitchen_0028b", "00045")
    write_pair(tmp_path / "official_splits" / "test" / "bathroom", "00046")
    for part, row in (("train", "/kitchen_0028b/{}_00045"), ("test", "bathroom/{}_00046")):
        line = f"{row.format('rgb')}.jpg {row.format('sync_depth')}.png 518.8579\n"
        (tmp_path / f"nyudepthv2_{part}_files_with_gt.txt").write_text(line)
    assert NyuSync(tmp_path).scenes == ["kitchen_0028b"]
    assert NyuSync(tmp_path, "test")[0].key == "bathroom/rgb_00046.jpg"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("kitchen_0028b/rgb_00045.jpg", "expected 'photo depth [focal length]', got 1 fields"),
        ("a b c d", "got 4 fields"),
        ("../a.jpg b.png", "leads out"),
        ("kitchen_0028b/rgb_00045.jpg None", "None is missing"),
        ("kitchen_0028b/rgb_00099.jpg kitchen_0028b/sync_depth_00045.png", "rgb_00099.jpg is missing"),
        ("kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png far", "focal length"),
        ("kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png -1", "focal length"),
        ("kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png inf", "focal length"),
        ("kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png nan", "focal length"),
        ("kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png 1e-322", "focal length"),
    ],
)
def test_sync_rows_name_their_line(sync: Path, row: str, message: str) -> None:
    path = sync / "nyudepthv2_train_files_with_gt.txt"
    path.write_text(f"kitchen_0028b/rgb_00045.jpg kitchen_0028b/sync_depth_00045.png 518.8579\n{row}\n")
    with pytest.raises(DataError) as caught:
        NyuSync(sync)
    one_line(caught.value, path, "line 2", message)


def test_sync_empty_and_missing(tmp_path: Path, sync: Path) -> None:
    (tmp_path / "empty").mkdir()
    for where, files, message in (
        (tmp_path / "empty", None, "holds no rgb_"),
        (tmp_path / "none", None, "no such folder"),
        (sync, tmp_path / "none.txt", "none.txt: cannot be read"),
    ):
        with pytest.raises(DataError) as caught:
            NyuSync(where, files=files)
        one_line(caught.value, message)
    (sync / "nyudepthv2_train_files_with_gt.txt").write_text("\n")
    with pytest.raises(DataError, match="holds no rows"):
        NyuSync(sync)


def test_sync_half_a_pair_is_named_and_counted(sync: Path) -> None:
    lonely = sync / "kitchen_0028b" / "sync_depth_00045.png"
    (sync / "kitchen_0028b" / "rgb_00045.jpg").unlink()
    (sync / "deep" / "bathroom_0001" / "sync_depth_00000.png").unlink()
    with pytest.raises(DataError) as caught:
        NyuSync(sync)
    one_line(caught.value, "bathroom_0001/rgb_00000.png", "2 files of 4 in all")
    write_pair(sync / "deep" / "bathroom_0001", "00000", 1, ".png")
    with pytest.raises(DataError) as caught:
        NyuSync(sync)
    one_line(caught.value, lonely, "1 files of 5 in all")


def test_sync_two_photos_of_one_number(sync: Path) -> None:
    write_pair(sync / "kitchen_0028b", "00045", photo_suffix=".png")
    with pytest.raises(DataError) as caught:
        NyuSync(sync)
    one_line(caught.value, "rgb_00045", "second file of the same number")


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (np.full((6, 8), 200, np.uint8), "single-channel 16-bit PNG, this one has mode L"),
        (np.full((6, 8, 3), 200, np.uint8), "mode RGB"),
        (np.full((6, 7), 200, np.uint16), "depth is 7x6, its photo 8x6"),
        (np.zeros((6, 8), np.uint16), "no pixel has a depth"),
        (None, "not a picture we can read"),
    ],
)
def test_sync_damaged_depth(sync: Path, depth: Any, message: str) -> None:
    path = sync / "kitchen_0028b" / "sync_depth_00007.png"
    if depth is None:
        path.write_text("no picture")
    else:
        Image.fromarray(depth).save(path)
    dataset = NyuSync(sync)
    with pytest.raises(DenseDepthError) as caught:
        dataset[1]
    one_line(caught.value, path, message)
    assert dataset[0].valid.any()


def test_usual_protocol_of_the_layouts() -> None:
    for name in ("nyu", "nyu-mat", "nyu-npy", "nyu-sync"):
        assert protocol_for(name).name == "nyu-eigen"


def test_evaluate_npy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_npy(tmp_path, np.full((2, 480, 640, 3), 50, np.uint8), np.full((2, 480, 640), 2, np.float32))
    model, written = write_tiny_bundle(tmp_path / "tiny.onnx"), tmp_path / "r.json"
    words = ["evaluate", "--model", str(model), "--dataset", "nyu-npy", "--root", str(tmp_path), "--json", str(written)]
    assert main(words) == 0, capsys.readouterr().err
    result = json.loads(written.read_text())
    assert (result["images"], result["protocol"]) == (2, "nyu-eigen")
    assert result["per_image"]["rmse"] == pytest.approx(2 - 0.1 - 50 / 255 * 9, abs=1e-4)
