"""The three KITTI readers on made folders of the published layouts, and on the real frames and lists where there."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conftest import MakeBundle
from densedepth.cli import main
from densedepth.data import open_dataset
from densedepth.data.readers.kitti import KittiRaw, eigen_split
from densedepth.data.readers.kitti_depth import KittiDepth
from densedepth.data.readers.kitti_files import FOCAL_PX
from densedepth.data.readers.kitti_object import KittiObject
from densedepth.errors import DataError, DenseDepthError
from densedepth.evaluation import PROTOCOLS, evaluate_model
from densedepth.runtime import load
from test_lidar import HEIGHT, PLAIN, TURN, WIDTH, numbers, write_object_calibration

PHOTO = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
UNITS = np.zeros((HEIGHT, WIDTH), np.uint16)
UNITS[15:, ::2] = np.linspace(512, 20000, WIDTH // 2).astype(np.uint16)
#: A wall 10 m ahead that covers the lower part of the photo.
WALL = np.stack(np.broadcast_arrays(10.0, *np.meshgrid(np.linspace(-8, 8, 80), np.linspace(-2.5, 0.5, 20)), 0.3), -1)
WALL = WALL.reshape(-1, 4).astype("<f4")
DAY, TRAIN, TEST = "2011_09_26", "2011_09_26_drive_0001_sync", "2011_09_26_drive_0002_sync"


def save(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Photos are lossless under any name, so that their values can be compared.
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def photo_path(root: Path, drive: str, number: int, suffix: str = ".png", camera: str = "02") -> Path:
    return root / drive[:10] / drive / f"image_{camera}" / "data" / f"{number:010d}{suffix}"


def scan_path(root: Path, drive: str, number: int) -> Path:
    return root / drive[:10] / drive / "velodyne_points" / "data" / f"{number:010d}.bin"


def depth_path(root: Path, drive: str, number: int, camera: str = "02") -> Path:
    return root / drive / "proj_depth" / "groundtruth" / f"image_{camera}" / f"{number:010d}.png"


def write_kitti_raw(root: Path, frames: Iterable[tuple[str, int]]) -> Path:
    """Photos, scans and calibration of some frames in the layout of KITTI raw."""
    for drive, number in frames:
        save(photo_path(root, drive, number), PHOTO)
        scan = scan_path(root, drive, number)
        scan.parent.mkdir(parents=True, exist_ok=True)
        WALL.tofile(scan)
        day = root / drive[:10]
        (day / "calib_velo_to_cam.txt").write_text(f"calib_time: now\nR: {numbers(TURN)}\nT: 0 0 0\n")
        (day / "calib_cam_to_cam.txt").write_text(
            f"calib_time: now\nS_rect_02: {WIDTH} {HEIGHT}\n"
            f"R_rect_00: {numbers(np.eye(3))}\nP_rect_02: {numbers(PLAIN)}\n"
        )
    return root


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_kitti_raw(tmp_path / "raw", [(TRAIN, 5), (TRAIN, 6), (TEST, 69), (TEST, 0)])


def one_line(caught: pytest.ExceptionInfo[DenseDepthError], *parts: object) -> None:
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


# The lists


def test_lists_are_the_published_ones(shared: Path) -> None:
    lines = (shared / "splits" / "kitti_eigen_train_23158.txt").read_text().splitlines()
    # The published order is a shuffle; training shuffles by its own seed.
    assert sorted(lines) == sorted(f"{frame.drive} 02 {frame.number}" for frame in eigen_split("train"))
    lines = (shared / "splits" / "kitti_eigen_test_697.txt").read_text().splitlines()
    ours = []
    for frame in eigen_split("test"):
        depth = f"{frame.drive}/proj_depth/groundtruth/image_02/{frame.stem}.png" if frame.annotated else "None"
        ours.append(f"{frame.day}/{frame.drive}/image_02/data/{frame.stem}.png {depth} {FOCAL_PX[frame.day]}")
    assert lines == ours


def test_lists_are_apart() -> None:
    train, test = eigen_split("train"), eigen_split("test")
    assert (len(train), len(set(train)), len(test), len(set(test))) == (23158, 23158, 697, 697)
    assert sum(frame.annotated for frame in test) == 652
    assert not {frame.drive for frame in train} & {frame.drive for frame in test}
    assert {frame.day for frame in train} <= set(FOCAL_PX)
    with pytest.raises(DataError, match="split must be one of train, test, got 'val'"):
        eigen_split("val")  # type: ignore[arg-type]


# KITTI raw


def test_velodyne_frames(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = open_dataset("kitti", raw, "train", missing="skip")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "23,156 of 23,158 frames of the Eigen split 'train' are not complete" in said
    assert f"{photo_path(raw, TRAIN, 7)} (or .jpg); 2 are used" in said
    assert list(dataset.scenes) == [TRAIN, TRAIN]
    frame = dataset[0]
    assert (frame.key, frame.scene) == (f"{TRAIN}/image_02/0000000005.png", TRAIN)
    np.testing.assert_array_equal(frame.image, PHOTO)
    np.testing.assert_allclose(frame.depth_m[frame.valid], 10)
    assert 0.1 < frame.valid.mean() < 0.5
    assert not frame.valid[:12].any()
    assert frame.camera is not None
    assert (frame.camera.fx, frame.camera.cx, frame.camera.cy) == (72, 60.5, 16.5)


def test_photos_may_be_jpeg(raw: Path) -> None:
    for number in (5, 6):
        path = photo_path(raw, TRAIN, number)
        path.rename(path.with_suffix(".jpg"))
    dataset = KittiRaw(raw, "train", missing="skip")
    assert [dataset[i].key for i in range(2)] == [f"{TRAIN}/image_02/000000000{n}.jpg" for n in (5, 6)]


@pytest.mark.parametrize("part", ["", DAY, "train", "val", "data_depth_annotated/val"])
def test_benchmark_depth_is_found(raw: Path, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    save(depth_path(raw / part, TEST, 69), UNITS)
    dataset = KittiRaw(raw, "test", ground_truth="benchmark", missing="skip")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "note: 45 of 697 frames have no benchmark depth and are left out"
    assert "651 of 652" in said[1]
    assert len(dataset) == 1
    np.testing.assert_array_equal(dataset[0].depth_m, (UNITS / 256).astype(np.float32))
    np.testing.assert_array_equal(dataset[0].valid, UNITS > 0)


def test_benchmark_depth_elsewhere_and_without_calibration(raw: Path, tmp_path: Path) -> None:
    save(depth_path(tmp_path / "depth" / "val", TEST, 69), UNITS)
    options = {"ground_truth": "benchmark", "depth_root": str(tmp_path / "depth"), "missing": "skip"}
    camera = open_dataset("kitti", raw, "test", **options)[0].camera
    assert camera is not None
    assert (camera.fx, camera.cx) == (72, 60.5)
    (raw / DAY / "calib_cam_to_cam.txt").unlink()
    camera = open_dataset("kitti", raw, "test", **options)[0].camera
    assert camera is not None
    assert (camera.fx, camera.cx, camera.cy) == (721.5377, WIDTH / 2, HEIGHT / 2)


def test_missing_frames_are_an_error_unless_told(raw: Path) -> None:
    with pytest.raises(DataError) as caught:
        KittiRaw(raw, "test")
    one_line(caught, "695 of 697", photo_path(raw, TEST, 54), "missing: skip")
    scan_path(raw, TRAIN, 5).unlink()
    dataset = KittiRaw(raw, "train", missing="skip")
    assert [dataset[i].key[-14:] for i in range(len(dataset))] == ["0000000006.png"]
    scan_path(raw, TRAIN, 6).unlink()
    with pytest.raises(DataError) as caught:
        KittiRaw(raw, "train", missing="skip")
    one_line(caught, "23,158 of 23,158", scan_path(raw, TRAIN, 5), "none is left")
    with pytest.raises(DataError) as caught:
        KittiRaw(raw, "test", ground_truth="benchmark", missing="skip")
    one_line(caught, "652 of 652", f"{TEST}/proj_depth/groundtruth/image_02/0000000069.png (looked in {raw}: ., {DAY}")


@pytest.mark.parametrize("options", [{"missing": "ignore"}, {"ground_truth": "lidar"}])
def test_option_values(raw: Path, options: dict[str, str]) -> None:
    with pytest.raises(DataError, match=f"{next(iter(options))} must be one of .*, got"):
        open_dataset("kitti", raw, "train", **options)


def test_root_too_high_too_low_empty_or_gone(raw: Path, tmp_path: Path) -> None:
    looked = "2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000005.png"
    for root in (raw.parent, raw / DAY, raw / DAY / TRAIN, photo_path(raw, TRAIN, 5).parent):
        with pytest.raises(DataError) as caught:
            KittiRaw(root)
        one_line(caught, f"{root}: not a folder of this data set", looked, f"did you mean {raw}?")
    (tmp_path / "raw").rename(tmp_path / "a_b")
    (tmp_path / "elsewhere" / "empty").mkdir(parents=True)
    for name, why in (("elsewhere/empty", "the folder is empty"), ("elsewhere/gone", "no such folder")):
        with pytest.raises(DataError) as caught:
            KittiRaw(tmp_path / name)
        one_line(caught, f"{tmp_path / name}: {why}", looked)


def test_missing_calibration(raw: Path) -> None:
    (raw / DAY / "calib_velo_to_cam.txt").unlink()
    with pytest.raises(DataError) as caught:
        KittiRaw(raw, missing="skip")
    one_line(caught, raw / DAY / "calib_velo_to_cam.txt", "no such calibration")


def test_damaged_frames_of_raw(raw: Path) -> None:
    dataset = KittiRaw(raw, missing="skip")
    scan, photo = scan_path(raw, TRAIN, 5), photo_path(raw, TRAIN, 5)
    scan.write_bytes(scan.read_bytes()[:-5])
    with pytest.raises(DataError) as caught:
        dataset[0]
    one_line(caught, scan, "no whole number of points")
    (WALL * -1).tofile(scan)
    with pytest.raises(DataError) as caught:
        dataset[0]
    one_line(caught, scan, "no pixel has a depth")
    save(photo, PHOTO[::2, ::2])
    with pytest.raises(DataError) as caught:
        dataset[0]
    one_line(caught, photo, "62x19", "124x38", "calib_cam_to_cam.txt")
    assert dataset[1].valid.any(), "the others are still there"


# The depth benchmark


def write_selection(root: Path) -> Path:
    base = root / "depth_selection" / "val_selection_cropped"
    for drive, number in ((TEST, 5), ("2011_10_03_drive_0047_sync", 791)):
        stem = f"{drive}_{{}}_{number:010d}_image_03"
        save(base / "image" / f"{stem.format('image')}.png", PHOTO)
        save(base / "groundtruth_depth" / f"{stem.format('groundtruth_depth')}.png", UNITS)
        (base / "intrinsics").mkdir(exist_ok=True)
        (base / "intrinsics" / f"{stem.format('image')}.txt").write_text("72.5 0.0 60.0 0.0 73.5 18.0 0.0 0.0 1.0")
    return base


def write_plain(root: Path) -> Path:
    for name in ("0000000005", "0000000050"):
        save(root / "rgb" / f"{name}.png", PHOTO)
        save(root / "depth" / f"{name}.png", UNITS)
    return root


def test_selection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = write_selection(tmp_path)
    for root in (tmp_path, base.parent, base):
        dataset = open_dataset("kitti-depth", root, "test")
        assert list(dataset.scenes) == [TEST, "2011_10_03_drive_0047_sync"]
        frame = dataset[1]
        assert frame.key == "2011_10_03_drive_0047_sync_image_0000000791_image_03.png"
        np.testing.assert_array_equal(frame.depth_m, (UNITS / 256).astype(np.float32))
        assert frame.camera is not None
        assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == (72.5, 73.5, 59.5, 17.5)
    assert capsys.readouterr().err == ""


def test_depth_among_the_photos_of_the_selection_is_named(tmp_path: Path) -> None:
    base = write_selection(tmp_path)
    stray = sorted((base / "groundtruth_depth").iterdir())[0]
    shutil.copy(stray, base / "image" / stray.name)
    with pytest.raises(DataError) as caught:
        open_dataset("kitti-depth", base, "test")
    one_line(caught, "1 of 3 frames", "the first lacks a depth file of its own", base / "image")


def test_tree_with_photos_of_raw(raw: Path, tmp_path: Path) -> None:
    root = tmp_path / "depth"
    save(depth_path(root / "train", TRAIN, 5), UNITS)
    save(depth_path(root / "train", TRAIN, 5, camera="03"), UNITS)
    options = {"photo_root": str(raw)}
    with pytest.raises(DataError) as caught:
        open_dataset("kitti-depth", root, "train", **options)
    one_line(caught, "1 of 2 frames", photo_path(raw, TRAIN, 5, camera="03"))
    dataset = open_dataset("kitti-depth", root, "train", missing="skip", **options)
    assert (len(dataset), dataset[0].key) == (1, f"{TRAIN}/image_02/0000000005.png")
    assert dataset[0].camera == KittiRaw(raw, missing="skip")[0].camera
    with pytest.raises(DataError) as caught:
        open_dataset("kitti-depth", root, "train")
    one_line(caught, root, "photo_root", "2011_09_26/2011_09_26_drive_0001_sync/image_02/data")
    with pytest.raises(
        DataError, match=r"looked for val/2011_09_26_drive_0001_sync/proj_depth and for rgb/ and depth/"
    ):
        open_dataset("kitti-depth", root, "val", **options)


def test_equal_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = KittiDepth(write_plain(tmp_path), "val")
    assert "have no parts, so split 'val' is all of it" in capsys.readouterr().err
    assert dataset.scenes == ["0000000005", "0000000050"]
    assert dataset[0].camera is None
    (tmp_path / "depth" / "0000000050.png").rename(tmp_path / "depth" / "0000000051.png")
    with pytest.raises(DataError) as caught:
        KittiDepth(tmp_path, "val")
    one_line(caught, "2 of 3 frames", tmp_path / "depth" / "0000000050.png", "missing: skip")
    assert len(KittiDepth(tmp_path, "val", missing="skip")) == 1


def test_damaged_benchmark(tmp_path: Path) -> None:
    dataset = KittiDepth(write_plain(tmp_path), "test")
    depth = tmp_path / "depth" / "0000000005.png"
    for pixels, message in (
        ((UNITS >> 8).astype(np.uint8), "16-bit PNG, 256 units a metre; this one has 8 bits"),
        (PHOTO, "mode RGB"),
        (UNITS[:, :-1], "depth is 123x38, its photo 124x38"),
        (UNITS * 0, "no pixel has a depth"),
    ):
        save(depth, pixels)
        with pytest.raises(DataError) as caught:
            dataset[0]
        one_line(caught, depth, message)
    depth.write_bytes(save(depth, np.random.default_rng(0).integers(1, 9999, (38, 124), np.uint16)).read_bytes()[:3000])
    with pytest.raises(DataError) as caught:
        dataset[0]
    one_line(caught, depth, "damaged")
    assert dataset[1].valid.any(), "the others are still there"


def test_damaged_intrinsics(tmp_path: Path) -> None:
    base = write_selection(tmp_path)
    dataset = KittiDepth(tmp_path, "test")
    path = next((base / "intrinsics").glob(f"{TEST}*"))
    for text in ("1 2 3", "0 0 0 0 0 0 0 0 0", "a b"):
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            dataset[0]
        one_line(caught, path, "intrinsics")


def test_benchmark_roots(tmp_path: Path) -> None:
    write_plain(tmp_path / "good")
    for root in (tmp_path, tmp_path / "good" / "rgb"):
        with pytest.raises(DataError) as caught:
            KittiDepth(root, "test")
        one_line(caught, root, "rgb/ and depth/", f"did you mean {tmp_path / 'good'}?")
    for folder in ("rgb", "depth"):
        (tmp_path / "hollow" / folder).mkdir(parents=True)
    with pytest.raises(DataError, match="hollow: the folders of split 'test' hold no frames"):
        KittiDepth(tmp_path / "hollow", "test")


# The object benchmark


def write_object(part: Path) -> Path:
    for stem in ("000000", "000001"):
        save(part / "image_2" / f"{stem}.png", PHOTO)
        for folder in ("velodyne", "calib"):
            (part / folder).mkdir(exist_ok=True)
        WALL.tofile(part / "velodyne" / f"{stem}.bin")
        write_object_calibration(part / "calib" / f"{stem}.txt")
    return part


def test_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = write_object(tmp_path / "training")
    dataset = open_dataset("kitti-object", tmp_path, "train")
    assert capsys.readouterr().err == ""
    assert list(dataset.scenes) == ["000000", "000001"]
    frame = dataset[1]
    assert frame.key == "000001.png"
    # The scanner stands 0.27 m behind the camera, whose slight turn tilts the wall.
    assert frame.depth_m[frame.valid].mean() == pytest.approx(9.73, abs=0.1)
    assert frame.camera is not None
    assert (frame.camera.fx, frame.camera.cx) == (72, 60.5)
    assert len(KittiObject(part, "test")) == 2
    assert "split 'test' is all of it" in capsys.readouterr().err
    for root in (tmp_path, tmp_path.parent, part / "image_2"):
        with pytest.raises(DataError) as caught:
            KittiObject(root, "test")
        one_line(caught, root, "image_2/, velodyne/ and calib/", "testing/")
    assert f"did you mean {part}?" in str(caught.value)


@pytest.mark.parametrize("name", ["image_2/000001.png", "velodyne/000001.bin", "calib/000001.txt"])
def test_incomplete_object_frames(tmp_path: Path, name: str) -> None:
    part = write_object(tmp_path / "training")
    (part / name).unlink()
    with pytest.raises(DataError) as caught:
        KittiObject(tmp_path)
    one_line(caught, "1 of 2 frames", part / name)
    assert len(KittiObject(tmp_path, missing="skip")) == 1


# Evaluation


@pytest.mark.parametrize("name", ["kitti", "kitti-depth", "kitti-object"])
def test_evaluate_takes_the_kitti_protocol(
    name: str, tmp_path: Path, tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    if name == "kitti":
        write_kitti_raw(root, [(TEST, 69)])
    elif name == "kitti-depth":
        write_selection(root)
    else:
        write_object(root / "testing")
    words = ["evaluate", "--model", str(tiny_bundle()), "--dataset", name, "--root", str(root)]
    if name == "kitti":
        assert main(words) == 1
        error = capsys.readouterr().err
        assert "696 of 697" in error
        assert len(error.splitlines()) == 1
        words += ["--options.missing", "skip"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"on {name} test" in printed
    assert "protocol kitti-garg: crop rows 0.40810811:0.99189189 of the height" in printed
    assert "cap 80 m, alignment none" in printed


@pytest.mark.parametrize(("protocol", "rows"), [("kitti-garg", slice(153, 371)), ("kitti-eigen", slice(124, 342))])
def test_protocols_on_real_frames(protocol: str, rows: slice, shared: Path, tiny_bundle: MakeBundle) -> None:
    root = shared / "kitti" / "depth_benchmark"
    dataset = open_dataset("kitti-depth", root, "test")
    result = evaluate_model(load(tiny_bundle()), dataset, PROTOCOLS[protocol], dataset_name="kitti-depth", tta=False)
    units = [np.asarray(Image.open(path))[rows, 44:1197] for path in sorted((root / "depth").iterdir())]
    assert [frame.pixels for frame in result.frames] == [np.count_nonzero((u > 0) & (u < 80 * 256)) for u in units]
    # The tiny model sees at most 9.1 m; most of a street is farther away.
    assert result.per_image["rmse"] > 8


def test_real_frames(shared: Path) -> None:
    dataset = open_dataset("kitti-depth", shared / "kitti" / "depth_benchmark", "test")
    assert Counter(dataset.scenes) == Counter({"0000000005": 1, "0000000050": 1})
    for frame in (dataset[0], dataset[1]):
        assert frame.image.shape == (375, 1242, 3)
        assert 0.15 < frame.valid.mean() < 0.25
        assert 2 < frame.depth_m[frame.valid].min() < 10
        assert 60 < frame.depth_m.max() < 90
    dataset = open_dataset("kitti-object", shared / "kitti" / "object", "train")
    assert len(dataset) == 2
    for camera in (dataset[0].camera, dataset[1].camera):
        assert camera is not None
        assert camera.fx == {1224: 707.0493, 1242: 721.5377}[camera.width]
