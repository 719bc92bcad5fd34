"""Writing the csv layout, read back by its reader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from densedepth.data import Frame, NyuCsv
from densedepth.data.csv_layout import FrameWriter, Place, begin, spread_parts
from densedepth.data.parallel import in_order
from densedepth.errors import DataError, DenseDepthError
from densedepth.types import Camera

SETTINGS = {"made_by": "a test", "seed": 1, "fov_deg": [50.0, 60.0]}
PLACES = [Place("train", "den", 0), Place("test", "hall", 0), Place("train", "den", 1)]


class Frames:
    """Frames of known numbers; counts what is drawn."""

    scenes = ("den", "hall", "den")

    def __init__(self, far_m: float = 5.0, camera: bool = True) -> None:
        self.far_m, self.camera, self.drawn = far_m, camera, 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Frame:
        self.drawn += 1
        rng = np.random.default_rng(index)
        depth_m = rng.uniform(1, self.far_m, (6, 8)).astype(np.float32)
        depth_m[0, 0] = 0
        image = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        camera = Camera(7.5 + index, 7.25, 4, 3, 8, 6) if self.camera else None
        return Frame(image, depth_m, depth_m > 0, camera, self.scenes[index], str(index))


def write(root: Path, frames: Frames, **options: str) -> list[bool]:
    writer = FrameWriter(root, frames, PLACES, **options)  # type: ignore[arg-type]
    written = list(writer.write_all())
    writer.write_tables()
    return written


def test_the_reader_gets_what_was_written(tmp_path: Path) -> None:
    assert write(tmp_path, Frames(), photos="png") == [True] * 3
    train, test = NyuCsv(tmp_path), NyuCsv(tmp_path, "test")
    assert train.scenes == ["den", "den"]
    assert test.scenes == ["hall"]
    for read, frame in [(train[0], Frames()[0]), (train[1], Frames()[2]), (test[0], Frames()[1])]:
        np.testing.assert_array_equal(read.image, frame.image)
        np.testing.assert_allclose(read.depth_m, frame.depth_m, atol=0.00051)
        np.testing.assert_array_equal(read.valid, frame.valid)
        assert read.camera == frame.camera


def test_rows_are_those_of_the_published_layout(tmp_path: Path) -> None:
    write(tmp_path, Frames())
    stem = "data/nyu2_train/den_out"
    rows = (tmp_path / "data" / "nyu2_train.csv").read_text().splitlines()
    assert rows == [f"{stem}/0.jpg,{stem}/0.png", f"{stem}/1.jpg,{stem}/1.png"]
    cameras = (tmp_path / "data" / "intrinsics.csv").read_text().splitlines()
    assert cameras[:2] == ["image,fx,fy,cx,cy,width,height", f"{stem}/0.jpg,7.5,7.25,4,3,8,6"]
    assert len(cameras) == 4


def test_frames_that_are_whole_are_kept(tmp_path: Path) -> None:
    write(tmp_path, Frames())
    csv = (tmp_path / "data" / "nyu2_train.csv").read_bytes()
    (tmp_path / "data" / "nyu2_train" / "den_out" / "1.png").unlink()
    (tmp_path / "data" / "nyu2_train.csv").unlink()
    frames = Frames()
    assert write(tmp_path, frames) == [False, False, True]
    assert frames.drawn == 1
    assert (tmp_path / "data" / "nyu2_train.csv").read_bytes() == csv


def test_no_table_without_rows(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path, Frames(), PLACES[:1])
    list(writer.write_all())
    assert writer.write_tables() == {"train": 1, "test": 0}
    assert not (tmp_path / "data" / "nyu2_test.csv").exists()


@pytest.mark.parametrize("frames", [Frames(far_m=80.0), Frames(camera=False)], ids=["too far", "no camera"])
def test_frames_that_do_not_fit_the_layout(frames: Frames, tmp_path: Path) -> None:
    with pytest.raises(DenseDepthError, match=r"65\.535 m|says no camera") as caught:
        write(tmp_path, frames)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob(".densedepth-*"))


def test_a_folder_is_continued_by_the_same_settings_only(tmp_path: Path) -> None:
    begin(tmp_path, SETTINGS)
    assert json.loads((tmp_path / "data" / "dataset.json").read_text()) == SETTINGS
    begin(tmp_path, SETTINGS)
    with pytest.raises(DataError, match=r"dataset\.json: .*made with seed = 1, not 2; name another folder"):
        begin(tmp_path, {**SETTINGS, "seed": 2})
    with pytest.raises(DataError, match="made with quality = null, not 90"):
        begin(tmp_path, {**SETTINGS, "quality": 90})


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_settings_that_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json: .*name another folder"):
        begin(tmp_path, SETTINGS)


def test_data_of_others_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "nyu2_train.csv").write_text("a.jpg,a.png\n")
    with pytest.raises(DataError, match="holds a data set already"):
        begin(tmp_path, SETTINGS)


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.1, 0.25, 1 / 3, 0.7])
def test_parts_are_spread_and_never_change(fraction: float) -> None:
    parts = list(spread_parts(range(1000), fraction))
    assert parts.count("test") == pytest.approx(1000 * fraction, abs=1)
    assert parts[0] == "train"
    assert (parts[1] == "test") == (fraction > 0)
    assert list(spread_parts(range(37), fraction)) == parts[:37]
    with pytest.raises(DataError, match="test fraction"):
        list(spread_parts(range(3), 1.0))


def _square(number: int) -> int:
    if number == 13:
        raise DataError("thirteen")
    return number**2


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_errors_come_through(workers: int) -> None:
    assert list(in_order(_square, range(12), workers)) == [number**2 for number in range(12)]
    results = in_order(_square, range(100), workers)
    with pytest.raises(DataError, match="thirteen"):
        list(results)


def _die(number: int) -> int:
    import os

    os._exit(1)


def test_a_killed_worker_is_one_line() -> None:
    with pytest.raises(DenseDepthError, match="worker process was killed"):
        list(in_order(_die, range(3), 2))
