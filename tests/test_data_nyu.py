"""The NYU csv layout, written by hand; and the real frames where they lie beside the checkout."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conftest import write_nyu_layout
from densedepth.data import Frame, InMemory, NyuCsv, open_dataset, split_by_scene
from densedepth.data.readers.nyu import KINECT, read_nyu_depth_m
from densedepth.errors import DataError, DenseDepthError
from densedepth.types import Camera

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
EIGHT_BIT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
SIXTEEN_BIT = (np.arange(48, dtype=np.uint16).reshape(6, 8) * 200).astype(np.uint16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_nyu_layout(
        tmp_path,
        [("kitchen_0001", PHOTO, EIGHT_BIT), ("kitchen_0001", PHOTO, SIXTEEN_BIT), ("den_0002a", PHOTO, EIGHT_BIT)],
    )


def test_train_frames(root: Path) -> None:
    dataset = NyuCsv(root)
    assert len(dataset) == 3
    assert dataset.scenes == ["kitchen_0001", "kitchen_0001", "den_0002a"]
    frame = dataset[0]
    assert frame.key == "kitchen_0001_out/0.jpg"
    assert frame.scene == "kitchen_0001"
    np.testing.assert_array_equal(frame.image, PHOTO)
    assert frame.depth_m.dtype == np.float32
    np.testing.assert_allclose(frame.depth_m, EIGHT_BIT / 255 * 10, rtol=1e-6)
    np.testing.assert_array_equal(frame.valid, EIGHT_BIT > 0)
    assert not frame.valid[0, 0]


def test_encoding_is_told_by_bit_depth_and_not_by_split(root: Path) -> None:
    frame = NyuCsv(root, "train")[1]
    np.testing.assert_allclose(frame.depth_m, SIXTEEN_BIT / 1000, rtol=1e-6)
    assert frame.depth_m.max() == pytest.approx(9.4)


def test_split_test_has_a_scene_per_frame(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "nyu2_test"
    folder.mkdir(parents=True)
    rows = ""
    for number, depth in (("00000", SIXTEEN_BIT), ("00017", EIGHT_BIT)):
        Image.fromarray(PHOTO).save(folder / f"{number}_colors.png")
        Image.fromarray(depth).save(folder / f"{number}_depth.png")
        rows += f"data/nyu2_test/{number}_colors.png,data/nyu2_test/{number}_depth.png\n"
    (tmp_path / "data" / "nyu2_test.csv").write_text(rows)
    dataset = open_dataset("nyu", tmp_path, "test")
    assert list(dataset.scenes) == ["00000", "00017"]
    assert dataset[1].key == "nyu2_test/00017_colors.png"
    np.testing.assert_allclose(dataset[0].depth_m, SIXTEEN_BIT / 1000, rtol=1e-6)
    np.testing.assert_allclose(dataset[1].depth_m, EIGHT_BIT / 255 * 10, rtol=1e-6)


def test_known_values(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255, 51]], np.uint8)).save(tmp_path / "8.png")
    Image.fromarray(np.array([[0, 255, 51000]], np.uint16)).save(tmp_path / "16.png")
    np.testing.assert_allclose(read_nyu_depth_m(tmp_path / "8.png"), [[0, 10, 2]], rtol=1e-6)
    np.testing.assert_allclose(read_nyu_depth_m(tmp_path / "16.png"), [[0, 0.255, 51]], rtol=1e-6)


def test_csv_as_other_programs_write_it(root: Path) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    rows = csv_path.read_text().splitlines()
    quoted = [",".join(f'"{cell}"' for cell in row.split(",")) for row in rows]
    spaced = [row.replace(",", " , ") for row in rows]
    expected = NyuCsv(root).pairs
    for text in ("\r\n".join(rows) + "\r\n", "\n".join(quoted), "\n\n".join(rows) + "\n\n", "\n".join(spaced)):
        for mark in (b"", b"\xef\xbb\xbf"):
            csv_path.write_bytes(mark + text.encode())
            assert NyuCsv(root).pairs == expected


def test_root_may_be_the_data_folder_itself(root: Path) -> None:
    for inside in (NyuCsv(root / "data"), NyuCsv(root / "data" / "nyu2_train" / "..")):
        assert inside.pairs == NyuCsv(root).pairs
        np.testing.assert_array_equal(inside[0].image, PHOTO)
    assert len(NyuCsv(str(root))) == 3


def test_working_folder_as_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, name in ((root, "."), (root / "data", "."), (root, "data")):
        monkeypatch.chdir(folder)
        np.testing.assert_array_equal(NyuCsv(name)[0].image, PHOTO)


@pytest.mark.parametrize("header", ["photo,depth", '"0","1"', "rgb , depth"])
def test_header_is_no_row(root: Path, header: str) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    expected = NyuCsv(root).pairs
    csv_path.write_text(f"\n{header}\n{csv_path.read_text()}")
    assert NyuCsv(root).pairs == expected
    csv_path.write_text(csv_path.read_text() + header)
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, csv_path, "line 6")


def test_rows_of_windows_and_absolute_rows(root: Path) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    rows = csv_path.read_text().splitlines()
    csv_path.write_text("\r\n".join(row.replace("/", "\\") for row in rows))
    np.testing.assert_array_equal(NyuCsv(root)[0].image, PHOTO)
    csv_path.write_text("\n".join(",".join(str(root / cell) for cell in row.split(",")) for row in rows))
    dataset = NyuCsv(root)
    assert dataset.scenes == ["kitchen_0001", "kitchen_0001", "den_0002a"]
    assert dataset[2].key == "den_0002a_out/2.jpg"
    np.testing.assert_array_equal(dataset[0].image, PHOTO)


def test_absolute_row_of_another_computer(root: Path) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_text(csv_path.read_text() + "/home/somebody/nyu/1.jpg,/home/somebody/nyu/1.png\n")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, csv_path, "line 4", "/home/somebody/nyu/1.jpg is missing")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("../secret.jpg,data/a.png", "leads out"),
        ("data/a.jpg,data/../../a.png", "leads out"),
        ("data\\..\\..\\a.jpg,a.png", "leads out"),
        ("C:/nyu/a.jpg,a.png", "leads out"),
        ("a.jpg,", "is no path"),
        ('"a\nb.jpg",a.png', "is no path"),
        ('"a.jpg,a.png', "no csv"),
    ],
)
def test_rows_that_are_no_pair_name_their_line(root: Path, row: str, message: str) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_text(csv_path.read_text() + row + "\n")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, csv_path, "line 4", message)


def write_intrinsics(root: Path, *rows: str, header: str = "image,fx,fy,cx,cy,width,height") -> Path:
    path = root / "data" / "intrinsics.csv"
    path.write_text("\n".join((header, *rows)))
    return path


def test_a_camera_for_each_frame(root: Path) -> None:
    photos = [photo for photo, _ in NyuCsv(root).pairs]
    rows = [f"{photo},{8 + n},{9 + n},4,3.5,8,6" for n, photo in enumerate(photos)]
    write_intrinsics(root, *reversed(rows))
    for n, dataset in enumerate([NyuCsv(root)] * 3):
        assert dataset[n].camera == Camera(8 + n, 9 + n, 4, 3.5, 8, 6)


def test_camera_of_another_size_is_resized(root: Path) -> None:
    photos = [photo for photo, _ in NyuCsv(root).pairs]
    write_intrinsics(root, *(f"{photo},16,16,8,6,16,12" for photo in photos))
    assert NyuCsv(root)[0].camera == Camera(8, 8, 4, 3, 8, 6)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{},0,9,4,3,8,6", "line 2: no camera (camera focal lengths must be positive"),
        ("{},wide,9,4,3,8,6", "line 2: no camera"),
        ("{},9,9,4,3,8", "line 2: expected 7 fields, got 6"),
        ("../{},9,9,4,3,8,6", "leads out"),
        ("{},9,9,4,3,8,6", "has no row for data/nyu2_train/kitchen_0001_out/1.jpg"),
    ],
)
def test_damaged_intrinsics(root: Path, row: str, message: str) -> None:
    path = write_intrinsics(root, row.format(NyuCsv(root).pairs[0][0]))
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, path, message)
    write_intrinsics(root, header="name,f")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, path, "first line must be 'image,fx,fy,cx,cy,width,height'")


def test_border_mask_in_full_size(tmp_path: Path) -> None:
    root = write_nyu_layout(
        tmp_path, [("a_0001", np.zeros((480, 640, 3), np.uint8), np.full((480, 640), 2000, np.uint16))]
    )
    plain, masked = NyuCsv(root)[0], NyuCsv(root, mask_border=True)[0]
    assert plain.valid.all()
    expected = np.zeros((480, 640), bool)
    expected[20:460, 24:616] = True
    np.testing.assert_array_equal(masked.valid, expected)
    np.testing.assert_array_equal(masked.depth_m, np.where(expected, np.float32(2), 0))
    assert plain.camera == KINECT


def test_border_and_camera_of_smaller_frames(tmp_path: Path) -> None:
    root = write_nyu_layout(
        tmp_path, [("a_0001", np.zeros((120, 160, 3), np.uint8), np.full((120, 160), 2000, np.uint16))]
    )
    frame = NyuCsv(root, mask_border=True)[0]
    expected = np.zeros((120, 160), bool)
    expected[5:115, 6:154] = True
    np.testing.assert_array_equal(frame.valid, expected)
    assert frame.camera is not None
    camera = frame.camera
    assert (camera.width, camera.height) == (160, 120)
    assert (camera.fx, camera.fy) == pytest.approx((518.8579 / 4, 519.4696 / 4))
    assert (camera.cx, camera.cy) == pytest.approx((325.5824 / 4, 253.7362 / 4))


def one_line(caught: pytest.ExceptionInfo[DenseDepthError], *parts: object) -> None:
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


def test_missing_csv_says_which_folder_is_meant(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        NyuCsv(tmp_path)
    one_line(caught, tmp_path / "data" / "nyu2_train.csv", "not found", "root")


def test_empty_csv(root: Path) -> None:
    (root / "data" / "nyu2_train.csv").write_text("\n\n")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, root / "data" / "nyu2_train.csv", "no rows")


def test_csv_that_is_no_text(root: Path) -> None:
    (root / "data" / "nyu2_train.csv").write_bytes(b"\xff\xfe\x00,\x00")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, "nyu2_train.csv", "cannot be read")


@pytest.mark.parametrize("row", ["one.jpg", "a,b,c"])
def test_wrong_number_of_columns_names_the_line(root: Path, row: str) -> None:
    csv_path = root / "data" / "nyu2_train.csv"
    csv_path.write_text(csv_path.read_text() + row + "\n")
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, csv_path, "line 4", f"got {row.count(',') + 1} fields")


@pytest.mark.parametrize("name", ["1.jpg", "1.png"])
def test_missing_file_names_the_line_and_the_file(root: Path, name: str) -> None:
    missing = root / "data" / "nyu2_train" / "kitchen_0001_out" / name
    missing.unlink()
    with pytest.raises(DataError) as caught:
        NyuCsv(root)
    one_line(caught, root / "data" / "nyu2_train.csv", "line 2", missing, "missing")


def damage(root: Path, kind: str) -> Path:
    path = root / "data" / "nyu2_train" / "den_0002a_out" / "2.png"
    if kind == "size":
        Image.fromarray(np.ones((6, 7), np.uint8)).save(path)
    elif kind == "rgb":
        Image.fromarray(PHOTO).save(path)
    elif kind == "palette":
        Image.fromarray(PHOTO).convert("P").save(path)
    elif kind == "truncated":
        noise = np.random.default_rng(0).integers(1, 255, (100, 100), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "text":
        path.write_text("no picture\nat all")
    elif kind == "zero":
        Image.fromarray(np.zeros((6, 8), np.uint16)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("size", "depth is 7x6, its photo 8x6"),
        ("rgb", "mode RGB"),
        ("palette", "mode P"),
        ("truncated", "cannot be read as a depth picture"),
        ("text", "not a picture we can read"),
        ("zero", "no pixel has a depth"),
    ],
)
def test_damaged_depth_is_one_line_with_its_name(root: Path, kind: str, message: str) -> None:
    path = damage(root, kind)
    dataset = NyuCsv(root)
    with pytest.raises(DataError) as caught:
        dataset[2]
    one_line(caught, path, message)
    assert dataset[0].valid.any(), "the others are still there"


def test_depth_lost_after_opening(root: Path) -> None:
    dataset = NyuCsv(root)
    path = root / "data" / "nyu2_train" / "den_0002a_out" / "2.png"
    path.unlink()
    with pytest.raises(DataError) as caught:
        dataset[2]
    one_line(caught, path, "no such file")


def test_truncated_photo_is_one_line_with_its_name(root: Path) -> None:
    photo = root / "data" / "nyu2_train" / "den_0002a_out" / "2.jpg"
    photo.write_bytes(photo.read_bytes()[:100])
    with pytest.raises(DenseDepthError) as caught:
        NyuCsv(root)[2]
    one_line(caught, photo)


def test_unknown_dataset_lists_the_known(root: Path) -> None:
    with pytest.raises(DataError, match=r"unknown data set 'nyuu'; known: .*nyu"):
        open_dataset("nyuu", root, "train")


class Counting:
    """A data set that is nothing but its scenes, and counts what is read."""

    def __init__(self, scenes: Sequence[str]) -> None:
        self.scenes = list(scenes)
        self.reads: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> Frame:
        self.reads[index] += 1
        ones = np.ones((2, 2), np.float32)
        return Frame(np.zeros((2, 2, 3), np.uint8), ones, ones > 0, None, self.scenes[index], f"frame {index}")


@given(
    st.lists(st.integers(0, 12).map(lambda n: f"scene {n}"), min_size=1, max_size=60),
    st.floats(0, 0.99),
    st.integers(0, 5),
)
def test_split_never_splits_a_scene(scenes: list[str], fraction: float, seed: int) -> None:
    dataset = Counting(scenes)
    rest, held_out = split_by_scene(dataset, fraction, seed)
    assert not dataset.reads, "splitting reads no frame"
    assert sorted(rest.indices + held_out.indices) == list(range(len(dataset)))
    assert not set(rest.scenes) & set(held_out.scenes)
    assert len(held_out) >= fraction * len(dataset)
    # One scene fewer would not reach the fraction.
    if held_out.indices:
        assert len(held_out) - max(Counter(held_out.scenes).values()) < fraction * len(dataset)
    again = split_by_scene(Counting(scenes), fraction, seed)
    assert (again[0].indices, again[1].indices) == (rest.indices, held_out.indices)


def test_split_depends_on_its_seed_only() -> None:
    scenes = [f"scene {n // 3}" for n in range(60)]
    parts = {tuple(split_by_scene(Counting(scenes), 0.1, seed)[1].indices) for seed in range(10)}
    assert len(parts) > 5
    assert all(len(part) == 6 for part in parts)


def test_subset_keeps_order_and_scenes() -> None:
    dataset = Counting(["a", "b", "a", "c", "b"])
    rest, held_out = split_by_scene(dataset, 0.3, 0)
    for part in (rest, held_out):
        assert [part[i].key for i in range(len(part))] == [f"frame {i}" for i in part.indices]
        assert [part[i].scene for i in range(len(part))] == list(part.scenes)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5])
def test_split_refuses_other_fractions(fraction: float) -> None:
    with pytest.raises(DataError, match=r"fraction must be in \[0, 1\)"):
        split_by_scene(Counting(["a"]), fraction, 0)


def test_in_memory_reads_each_frame_once() -> None:
    dataset = Counting(["a", "b", "c"])
    cached = InMemory(dataset)
    assert (len(cached), list(cached.scenes)) == (3, ["a", "b", "c"])
    for index in (2, 0, 2, 2, 0):
        assert cached[index].key == f"frame {index}"
    assert dataset.reads == {0: 1, 2: 1}


@pytest.mark.parametrize(("split", "frames", "scenes"), [("train", 795, {249}), ("test", 654, {654, 215})])
def test_real_frames(shared: Path, split: str, frames: int, scenes: set[int]) -> None:
    dataset = open_dataset("nyu", shared / "nyu", split)
    assert len(dataset) == frames
    assert len(set(dataset.scenes)) in scenes
    for index in np.random.default_rng(0).choice(frames, 20, replace=False):
        frame = dataset[int(index)]
        assert frame.image.shape == (480, 640, 3)
        assert frame.camera == KINECT
        assert frame.depth_m.min() >= 0
        assert 0.5 < np.median(frame.depth_m) < frame.depth_m.max() <= 10
        assert frame.valid.mean() > 0.9


def test_real_frames_in_eight_bit(shared: Path, tmp_path: Path) -> None:
    """The published training part is 8-bit; the same frame stored so gives the same metres within half a step."""
    dataset = NyuCsv(shared / "nyu")
    photo = shared / "nyu" / dataset.pairs[0][0]
    folder = tmp_path / "data" / "nyu2_train" / "office_0003_out"
    folder.mkdir(parents=True)
    shutil.copy(photo, folder / "2.jpg")
    metres = dataset[0].depth_m
    Image.fromarray(np.rint(metres / 10 * 255).astype(np.uint8)).save(folder / "2.png")
    row = "data/nyu2_train/office_0003_out/2"
    (tmp_path / "data" / "nyu2_train.csv").write_text(f"{row}.jpg,{row}.png\n")
    np.testing.assert_allclose(NyuCsv(tmp_path)[0].depth_m, metres, atol=10 / 255 / 2 + 1e-5)
