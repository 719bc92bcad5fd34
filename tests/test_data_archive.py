"""The csv layout inside a zip: read where it lies, by any number of processes; and zips that are not what they say."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from conftest import write_nyu_layout, write_tiny_bundle
from densedepth.cli import main
from densedepth.data import Frame, NyuCsv, open_dataset
from densedepth.data.readers.archive import Folder, Zip, open_archive
from densedepth.errors import DataError, DenseDepthError

RANDOM = np.random.default_rng(0)
FRAMES = [
    (f"kitchen_{n:04}", RANDOM.integers(0, 256, (30, 40, 3), np.uint8), RANDOM.integers(1, 256, (30, 40), np.uint8))
    for n in range(6)
]


def zipped(folder: Path, path: Path, prefix: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for each in sorted(folder.rglob("*")):
            file.write(each, prefix + each.relative_to(folder).as_posix())
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_nyu_layout(tmp_path / "plain", FRAMES)


@pytest.fixture
def nyu_zip(plain: Path, tmp_path: Path) -> Path:
    return zipped(plain, tmp_path / "nyu_data.zip")


def assert_same(left: Frame, right: Frame) -> None:
    for name in ("image", "depth_m", "valid"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert (left.camera, left.scene, left.key) == (right.camera, right.scene, right.key)


def one_line(error: BaseException, *parts: object) -> None:
    assert "\n" not in str(error)
    for part in parts:
        assert str(part) in str(error), str(error)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("prefix", ["", "nyu_data/", "./"])
def test_frames_of_the_zip_are_those_of_the_folder(plain: Path, tmp_path: Path, prefix: str, method: int) -> None:
    folder, inside = NyuCsv(plain), open_dataset("nyu", zipped(plain, tmp_path / "a.zip", prefix, method), "train")
    assert list(inside.scenes) == folder.scenes
    for index in (5, 0, 3):
        assert_same(inside[index], folder[index])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "plain"], "nothing is extracted"


def test_written_as_a_stream_and_with_64_bit_sizes(plain: Path, tmp_path: Path) -> None:
    """Their sizes stand in the directory only, or in a field of their own."""
    path = tmp_path / "big.zip"
    with path.open("wb") as target, zipfile.ZipFile(Unseekable(target), "w", zipfile.ZIP_DEFLATED) as file:
        for each in sorted(plain.rglob("*.*")):
            with file.open(each.relative_to(plain).as_posix(), "w", force_zip64=True) as entry:
                entry.write(each.read_bytes())
    assert_same(NyuCsv(path)[5], NyuCsv(plain)[5])


class Unseekable(io.RawIOBase):
    """A pipe, for zipfile."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self.target.write(data)


def test_backslashes_of_windows(plain: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as file:
        for each in plain.rglob("*.*"):
            name = each.relative_to(plain).as_posix().replace("/", "\\")
            entry = zipfile.ZipInfo(name)
            entry.filename = name
            file.writestr(entry, each.read_bytes())
    assert_same(NyuCsv(tmp_path / "w.zip")[1], NyuCsv(plain)[1])


def test_folder_that_holds_the_zip(plain: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    zipped(plain, downloads / "any.zip")
    assert len(NyuCsv(downloads)) == 6
    zipped(plain / "data" / "nyu2_train", downloads / "nyu_test.zip")
    with pytest.raises(DataError) as caught:
        NyuCsv(downloads)
    one_line(caught.value, downloads / "data" / "nyu2_train.csv", "not found")
    (downloads / "any.zip").rename(downloads / "nyu_data.zip")
    assert len(NyuCsv(downloads)) == 6


def test_camera_beside_the_csv_in_the_zip(plain: Path, tmp_path: Path) -> None:
    rows = "".join(f"{photo},20,21,20,15,40,30\n" for photo, _ in NyuCsv(plain).pairs)
    (plain / "data" / "intrinsics.csv").write_text("image,fx,fy,cx,cy,width,height\n" + rows)
    camera = NyuCsv(zipped(plain, tmp_path / "c.zip", "nyu_data/"))[4].camera
    assert camera is not None
    assert (camera.fx, camera.fy, camera.width) == (20, 21, 40)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_several_processes_read_at_once(nyu_zip: Path, plain: Path, method: str) -> None:
    dataset, folder = NyuCsv(nyu_zip), NyuCsv(plain)
    dataset[0]  # whatever stays open after reading goes into the children
    indices = [n % 6 for n in range(60)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        frames = pool.starmap(NyuCsv.__getitem__, [(dataset, index) for index in indices], chunksize=5)
    for index, frame in zip(indices, frames, strict=True):
        assert_same(frame, folder[index])


def test_threads_and_copies(nyu_zip: Path, plain: Path) -> None:
    dataset, folder = pickle.loads(pickle.dumps(NyuCsv(nyu_zip))), NyuCsv(plain)
    with ThreadPoolExecutor(4) as threads:
        for index, frame in enumerate(threads.map(lambda n: dataset[n % 6], range(60))):
            assert_same(frame, folder[index % 6])


def test_memory_does_not_grow_with_the_zip(tmp_path: Path) -> None:
    photo = RANDOM.integers(0, 256, (480, 640, 3), np.uint8)
    depth = RANDOM.integers(1, 256, (480, 640), np.uint8)
    path = zipped(write_nyu_layout(tmp_path / "p", [("a_0001", photo, depth)] * 12), tmp_path / "big.zip")
    assert path.stat().st_size > 12e6
    tracemalloc.start()
    dataset = NyuCsv(path)
    for index in range(len(dataset)):
        dataset[index]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9e6, f"{peak / 1e6:.1f} MB for frames of 2.5 MB decoded"


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_cut_short(nyu_zip: Path, keep: float) -> None:
    data = nyu_zip.read_bytes()
    nyu_zip.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError) as caught:
        NyuCsv(nyu_zip)
    one_line(caught.value, nyu_zip, "cut short")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"<html>not found</html>", b"PK\5\6" + b"\xff" * 18])
def test_no_zip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        NyuCsv(path)
    one_line(caught.value, path)


def test_no_such_file_and_no_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        NyuCsv(tmp_path / "none.zip")
    one_line(caught.value, tmp_path / "none.zip", "no such folder or zip")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("readme.txt", "nothing")
    with pytest.raises(DataError) as caught:
        NyuCsv(tmp_path / "a.zip")
    one_line(caught.value, tmp_path / "a.zip", "data/nyu2_train.csv", "not found")


@pytest.mark.parametrize("name", ["../out.png", "data/../../out.png", "/etc/passwd", "C:/out.png", "..\\out.png"])
def test_entries_that_climb_out(nyu_zip: Path, name: str) -> None:
    with zipfile.ZipFile(nyu_zip, "a") as file:
        entry = zipfile.ZipInfo("x")
        entry.filename = name
        file.writestr(entry, b"")
    with pytest.raises(DataError) as caught:
        NyuCsv(nyu_zip)
    one_line(caught.value, nyu_zip, repr(name), "leads out of the folder")


@pytest.mark.parametrize("row", ["/etc/hostname,data/a.png", "../a.jpg,data/a.png", "data/a.jpg,data/a.png"])
def test_rows_in_a_zip(plain: Path, tmp_path: Path, row: str) -> None:
    csv_path = plain / "data" / "nyu2_train.csv"
    csv_path.write_text(csv_path.read_text() + row + "\n")
    path = zipped(plain, tmp_path / "rows.zip")
    with pytest.raises(DataError) as caught:
        NyuCsv(path)
    missing = row.startswith("data")
    one_line(caught.value, path, "nyu2_train.csv", "line 7", "is missing" if missing else "leads out of the folder")


def overwritten(path: Path, find: bytes, change: Callable[[int], tuple[int, bytes]]) -> None:
    data = bytearray(path.read_bytes())
    at, new = change(data.index(find))
    data[at : at + len(new)] = new
    path.write_bytes(bytes(data))


def test_damage_inside_names_the_entry(nyu_zip: Path) -> None:
    name = "data/nyu2_train/kitchen_0002_out/2.png"
    overwritten(nyu_zip, name.encode(), lambda at: (at + len(name) + 100, b"\0" * 40))
    dataset = NyuCsv(nyu_zip)
    with pytest.raises(DataError) as caught:
        dataset[2]
    one_line(caught.value, nyu_zip, name, "damaged in the zip")
    assert dataset[1].valid.any(), "the others are still there"


def test_header_of_an_entry_overwritten(nyu_zip: Path) -> None:
    name = "data/nyu2_train/kitchen_0002_out/2.jpg"
    overwritten(nyu_zip, name.encode(), lambda at: (at - 30, b"XXXX"))
    with pytest.raises(DataError) as caught:
        NyuCsv(nyu_zip)[2]
    one_line(caught.value, nyu_zip, name, "no entry where the directory says")


def test_damaged_picture_names_zip_and_entry(plain: Path, tmp_path: Path) -> None:
    for name, content in (("0.png", b"no picture"), ("1.jpg", b"no picture")):
        path = plain / "data" / "nyu2_train" / f"kitchen_000{name[0]}_out" / name
        path.write_bytes(content)
    path = plain / "data" / "nyu2_train" / "kitchen_0002_out" / "2.png"
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(path)
    inside = zipped(plain, tmp_path / "d.zip")
    for index, name in enumerate(("kitchen_0000_out/0.png", "kitchen_0001_out/1.jpg", "kitchen_0002_out/2.png")):
        with pytest.raises(DenseDepthError) as caught:
            NyuCsv(inside)[index]
        one_line(caught.value, inside, name)


def test_unusual_packing_is_refused(plain: Path, tmp_path: Path) -> None:
    path = zipped(plain, tmp_path / "b.zip", method=zipfile.ZIP_BZIP2)
    with pytest.raises(DataError) as caught:
        NyuCsv(path)
    one_line(caught.value, path, "encrypted, or packed by another method")


def test_an_entry_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data/big.bin", bytes(50_000_000))
    # The unpacked size stands 24 bytes behind the mark of its entry in the directory.
    overwritten(path, b"PK\1\2", lambda at: (at + 24, (1000).to_bytes(4, "little")))
    tracemalloc.start()
    with pytest.raises(DataError) as caught:
        Zip(path).read("data/big.bin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    one_line(caught.value, path, "data/big.bin", "damaged")
    assert peak < 1e6


def test_archives_by_name(plain: Path, nyu_zip: Path) -> None:
    folder, inside = open_archive(plain), open_archive(nyu_zip)
    assert isinstance(folder, Folder)
    assert isinstance(inside, Zip)
    for archive in (folder, inside):
        assert archive.exists("data/nyu2_train.csv")
        assert not archive.exists("data")
        assert archive.read("data/nyu2_train.csv").startswith(b"data/nyu2_train/")
        with pytest.raises(DataError) as caught:
            archive.read("data/none.csv")
        one_line(caught.value, archive.label("data/none.csv"))


def test_evaluate_reads_the_zip(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [("a", np.full((480, 640, 3), grey, np.uint8), np.full((480, 640), 2000, np.uint16)) for grey in (40, 90)]
    root = write_nyu_layout(tmp_path / "full", frames)
    (root / "data" / "nyu2_train.csv").rename(root / "data" / "nyu2_test.csv")
    path = zipped(root, tmp_path / "x.zip")
    model = write_tiny_bundle(tmp_path / "tiny.onnx")
    words = ["evaluate", "--model", str(model), "--dataset", "nyu", "--root", str(path), "--json", str(tmp_path / "r")]
    assert main(words) == 0, capsys.readouterr().err
    result = json.loads((tmp_path / "r").read_text())
    assert (result["images"], result["protocol"]) == (2, "nyu-eigen")
    path.write_bytes(path.read_bytes()[:1000])
    assert main(words) != 0
    error = capsys.readouterr().err.strip()
    assert "cut short" in error
    assert [line.partition(":")[0] for line in error.splitlines()] == ["device", "error"]
