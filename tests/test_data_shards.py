"""Tar shards: written by `data prepare`, read back by us and by webdataset; and shards that others made, or broke."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from conftest import write_nyu_layout
from densedepth.cli import main
from densedepth.data import Frame, NyuCsv, open_dataset
from densedepth.data.readers.shards import Shards, picked
from densedepth.data.shard_writer import SampleMaker, ShardWriter, choose_unit
from densedepth.errors import DataError
from densedepth.types import Camera

HEIGHT, WIDTH, FRAMES = 48, 64, 12


@pytest.fixture(scope="module")
def nyu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of four scenes; the photos of even frames are real JPEGs, the others PNG under that name."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(FRAMES):
        photo = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        depth = rng.integers(400, 9000, (HEIGHT, WIDTH)).astype(np.uint16)
        depth[:3, number] = 0
        frames.append((f"den_{number // 3:04d}", photo, depth))
    root = write_nyu_layout(tmp_path_factory.mktemp("nyu"), frames)
    for path in sorted((root / "data" / "nyu2_train").rglob("*.jpg")):
        if int(path.stem) % 2 == 0:
            with Image.open(path) as picture:
                picture.load()
            picture.save(path, "JPEG", quality=80)
    return root


def prepare(root: Path, out: Path, *words: str) -> int:
    return main(["data", "prepare", "--root", str(root), "--out", str(out), "--workers", "1", *words])


def small_shards(nyu: Path, out: Path, split: str = "train") -> Path:
    """Of 60 kB each, three frames."""
    frames = NyuCsv(nyu)
    writer = ShardWriter(out, split, {"frames": len(frames)}, 60_000)
    maker = SampleMaker(frames, writer.unit(frames, None), None, 95)
    assert len(list(writer.write(maker))) == FRAMES - writer.done
    return out


@pytest.fixture(scope="module")
def shards(nyu: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_shards(nyu, tmp_path_factory.mktemp("shards"))


def copy(shards: Path, to: Path, *names: str) -> Path:
    to.mkdir(exist_ok=True)
    for path in shards.iterdir():
        if not names or path.name in names:
            (to / path.name).write_bytes(path.read_bytes())
    return to


def same(one: Frame, other: Frame) -> None:
    np.testing.assert_array_equal(one.depth_m, other.depth_m)
    np.testing.assert_array_equal(one.valid, other.valid)
    assert (one.camera, one.scene, one.key) == (other.camera, other.scene, other.key)


def test_frames_come_back(nyu: Path, shards: Path) -> None:
    source, read = NyuCsv(nyu), open_dataset("shards", shards, "train")
    assert len(read) == FRAMES
    assert list(read.scenes) == list(source.scenes)
    for index in (11, 0, 5, 5, 1):
        same(read[index], source[index])
        if index % 2 == 0:
            np.testing.assert_array_equal(read[index].image, source[index].image)


def test_jpegs_are_taken_over_byte_by_byte(nyu: Path, shards: Path) -> None:
    originals = {path.read_bytes() for path in (nyu / "data" / "nyu2_train").rglob("*.jpg")}
    taken = 0
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    data = tar.extractfile(member).read()  # type: ignore[union-attr]
                    taken += data in originals
                    assert data[:3] == b"\xff\xd8\xff", "photos under .jpg are JPEG"
    assert taken == FRAMES // 2


def test_groups_are_the_shards(shards: Path) -> None:
    read = Shards(shards)
    assert len(set(read.groups)) == len(list(shards.glob("train-*.tar"))) > 2
    assert read.groups == sorted(read.groups)
    for path, first in zip(read.paths, dict.fromkeys(read.groups), strict=True):
        with tarfile.open(path) as tar:
            assert tar.getnames()[0] == f"{read.keys[read.groups.index(first)]}.jpg"


def test_webdataset_reads_them_as_well(nyu: Path, shards: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    urls = [str(path) for path in sorted(shards.glob("train-*.tar"))]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    source = NyuCsv(nyu)
    assert [sample["__key__"] for sample in samples] == [f"{number:08d}" for number in range(FRAMES)]
    for sample, frame in zip(samples, map(source.__getitem__, range(FRAMES)), strict=True):
        about = json.loads(sample["json"])
        assert about["scene"] == frame.scene
        assert Camera.from_dict(about["camera"]) == frame.camera
        depth = np.asarray(Image.open(io.BytesIO(sample["depth.png"])))
        np.testing.assert_allclose(depth * about["metres_per_unit"], frame.depth_m, rtol=1e-6)
        assert np.asarray(Image.open(io.BytesIO(sample["jpg"]))).shape == frame.image.shape


def test_we_read_what_webdataset_writes(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    photo = np.full((8, 10, 3), 90, np.uint8)
    depth_m = np.linspace(1, 5, 80, dtype=np.float32).reshape(8, 10)
    with webdataset.TarWriter(str(tmp_path / "other-0.tar")) as writer:
        for key in ("a/1", "a/2"):
            writer.write({"__key__": key, "png": photo, "depth.npy": depth_m, "cls": 3})
    read = Shards(tmp_path / "other-0.tar")
    assert read.scenes == ["other-0", "other-0"]
    frame = read[1]
    assert (frame.key, frame.camera) == ("a/2", None)
    np.testing.assert_array_equal(frame.image, photo)
    np.testing.assert_array_equal(frame.depth_m, depth_m)


def test_without_an_index_the_headers_tell_the_same(shards: Path, tmp_path: Path) -> None:
    bare = copy(shards, tmp_path / "bare")
    (bare / "train-index.json").unlink()
    indexed, scanned = Shards(shards), Shards(bare)
    assert (scanned.keys, scanned.scenes, scanned.groups) == (indexed.keys, indexed.scenes, indexed.groups)
    same(scanned[7], indexed[7])


def test_what_a_root_can_be(shards: Path) -> None:
    paths = sorted(shards.glob("train-*.tar"))
    assert len(Shards(paths[0])) == Shards(shards).groups.count(0)
    for root in (str(shards / "train-*.tar"), str(shards / f"train-{{000000..{len(paths) - 1:06d}}}.tar"), paths):
        assert len(Shards(root)) == FRAMES  # type: ignore[arg-type]


def test_frames_can_come_smaller(nyu: Path, shards: Path) -> None:
    frame = Shards(shards).frame(0, (20, 30))
    assert frame.image.shape == (24, 32, 3)
    assert frame.depth_m.shape == (24, 32)
    assert frame.camera == NyuCsv(nyu)[0].camera.resized(32, 24)  # type: ignore[union-attr]
    assert set(frame.depth_m.ravel()) <= set(NyuCsv(nyu)[0].depth_m.ravel()), "depths are picked, not mixed"


def test_workers_and_pickles(shards: Path) -> None:
    from torch.utils.data import DataLoader, Dataset

    read = Shards(shards)
    same(pickle.loads(pickle.dumps(read))[3], read[3])
    read[0]
    depths = list(DataLoader(cast("Dataset[np.ndarray]", _Depths(read)), num_workers=2, batch_size=None))
    for index, depth_m in enumerate(depths):
        np.testing.assert_array_equal(depth_m, read[index].depth_m)


class _Depths:
    def __init__(self, frames: Shards) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.frames[index].depth_m


def test_the_command(nyu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(nyu, tmp_path) == 0
    assert f"{FRAMES} frames of train in 1 shards" in (out := capsys.readouterr().out)
    assert "photos: 6 taken over, 6 encoded" in out
    assert prepare(nyu, tmp_path) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert prepare(nyu, tmp_path, "--jpeg-quality", "80") == 1
    assert "made with jpeg_quality = 95, not 80" in capsys.readouterr().err
    assert prepare(nyu, tmp_path / "none", "--jpeg-quality", "0") == 2
    assert not (tmp_path / "none").exists()


def test_any_number_of_workers_writes_the_same(nyu: Path, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        assert prepare(nyu, tmp_path / workers, "--workers", workers) == 0
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == ["train-000000.tar", "train-index.json"]
    assert all((tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes() for name in names)


def test_smaller_photos(nyu: Path, tmp_path: Path) -> None:
    assert prepare(nyu, tmp_path, "--max-side", "32") == 0
    frame, source = Shards(tmp_path)[4], NyuCsv(nyu)[4]
    assert frame.image.shape == (24, 32, 3)
    assert frame.camera == source.camera.resized(32, 24)  # type: ignore[union-attr]
    np.testing.assert_array_equal(frame.depth_m, picked(source.depth_m, 24, 32))


def test_an_interrupted_run_goes_on(nyu: Path, shards: Path, tmp_path: Path) -> None:
    frames = NyuCsv(nyu)
    writer = ShardWriter(tmp_path, "train", {"frames": FRAMES}, 60_000)
    samples = writer.write(SampleMaker(frames, writer.unit(frames, None), None, 95))
    for _ in range(8):
        next(samples)
    samples.close()  # type: ignore[attr-defined]
    assert not list(tmp_path.glob(".densedepth-*"))
    assert 0 < len(list(tmp_path.glob("*.tar"))) < len(list(shards.glob("*.tar")))
    with pytest.raises(DataError, match=r"train-index\.json: these shards are not finished"):
        Shards(tmp_path)
    small_shards(nyu, tmp_path)
    for path in shards.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


class Far:
    """Depth up to so many metres in each frame."""

    def __init__(self, *far_m: float) -> None:
        self.far_m = far_m
        self.scenes = ["road"] * len(far_m)

    def __len__(self) -> int:
        return len(self.far_m)

    def __getitem__(self, index: int) -> Frame:
        depth_m = np.linspace(0.0001, self.far_m[index], 80, dtype=np.float32).reshape(8, 10)
        depth_m[0, 5] = 0
        return Frame(np.zeros((8, 10, 3), np.uint8), depth_m, depth_m > 0, None, "road", str(index))


@pytest.mark.parametrize(("far_m", "unit"), [(9.0, 0.001), (65.5, 0.001), (80.0, 1 / 256), (600.0, 0.01)])
def test_the_unit_holds_the_data_set(far_m: float, unit: float, tmp_path: Path) -> None:
    frames = Far(5.0, far_m)
    assert choose_unit(frames) == unit
    writer = ShardWriter(tmp_path, "train", {}, 10**6)
    list(writer.write(SampleMaker(frames, writer.unit(frames, None), None, 95)))
    for index in (0, 1):
        read = Shards(tmp_path)[index]
        np.testing.assert_array_equal(read.valid, frames[index].valid)
        np.testing.assert_allclose(read.depth_m, frames[index].depth_m, atol=unit, rtol=1e-6)


def test_a_frame_beyond_the_unit_gets_a_coarser_one(tmp_path: Path) -> None:
    frames = Far(5.0, 200.0)
    writer = ShardWriter(tmp_path, "train", {}, 10**6)
    samples = list(writer.write(SampleMaker(frames, writer.unit(frames, 0.001), None, 95)))
    assert [sample.coarser for sample in samples] == [False, True]
    assert Shards(tmp_path)[1].depth_m.max() == pytest.approx(200, abs=0.002)
    with pytest.raises(DataError, match="beyond 6554 m"):
        SampleMaker(Far(9000.0), 0.001, None, 95)(0)


def tar(path: Path, members: dict[str, bytes], change: Any = None) -> Path:
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if change is not None:
                change(member)
            file.addfile(member, io.BytesIO(data))
    return path


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


PHOTO = png(np.zeros((4, 6, 3), np.uint8))
DEPTH = png(np.full((4, 6), 1500, np.uint16))
ABOUT = json.dumps({"metres_per_unit": 0.001, "scene": "den"}).encode()
WHOLE = {"7.jpg": PHOTO, "7.depth.png": DEPTH, "7.json": ABOUT}


def test_a_unit_that_is_not_told_can_be_given(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"7.jpg": PHOTO, "7.depth.png": DEPTH})
    with pytest.raises(DataError, match=r"a\.tar, 7: whole numbers \(uint16\) of unknown unit; set metres_per_unit"):
        Shards(path)[0]
    assert Shards(path, metres_per_unit=0.002)[0].depth_m.max() == pytest.approx(3)
    assert Shards(tar(tmp_path / "b.tar", WHOLE), metres_per_unit=0.002)[0].depth_m.max() == pytest.approx(1.5)


@pytest.mark.parametrize("options", [{"metres_per_unit": "mm"}, {"metres_per_unit": -1}, {"invalid": "none"}])
def test_options_that_make_no_sense(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be a"):
        Shards(tar(tmp_path / "a.tar", WHOLE), **options)


def broken_opening() -> Iterator[Any]:
    """(id, members, what the message must say) of shards that cannot be opened."""
    yield "no depth", {"7.jpg": PHOTO, "8.jpg": PHOTO, "8.depth.png": DEPTH}, "7: no depth .* among its members .jpg"
    yield "no photo", {"7.depth.png": DEPTH, "7.json": ABOUT}, "7: no photo"
    yield "climbs", {"../7.jpg": PHOTO}, r"'\.\./7\.jpg' leads out of the folder"
    yield "absolute", {"/etc/7.jpg": PHOTO}, "leads out of the folder"
    yield "bad json", {**WHOLE, "7.json": b"{"}, r"7\.json: no JSON"
    yield "json list", {**WHOLE, "7.json": b"[]"}, r"7\.json: must hold a JSON object"
    yield "empty", {}, "hold no samples"


@pytest.mark.parametrize(("members", "problem"), [pytest.param(*case[1:], id=case[0]) for case in broken_opening()])
def test_shards_that_cannot_be_opened(members: dict[str, bytes], problem: str, tmp_path: Path) -> None:
    path = tar(tmp_path / "bad.tar", members)
    with pytest.raises(DataError, match=problem) as caught:
        Shards(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("member", "data", "problem"),
    [
        ("7.jpg", b"no photo", "7: .*not a picture"),
        ("7.jpg", PHOTO[:45], "7: .*damaged"),
        ("7.jpg", png(np.zeros((5, 6, 3), np.uint8)), "7: depth is 6x4, its photo 6x5"),
        ("7.depth.png", PHOTO[:50], "7: "),
        ("7.depth.png", png(np.zeros((4, 6), np.uint16)), "7: no pixel has a depth"),
        ("7.json", b'{"metres_per_unit": -1}', "metres_per_unit must be a positive number"),
        ("7.json", b'{"metres_per_unit": 0.001, "camera": {"fx": 1}}', "a camera needs exactly the keys"),
    ],
)
def test_samples_that_are_damaged(member: str, data: bytes, problem: str, tmp_path: Path) -> None:
    path = tar(tmp_path / "bad.tar", {**WHOLE, member: data})
    with pytest.raises(DataError, match=problem) as caught:
        Shards(path)[0]
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nan_in_an_array(tmp_path: Path) -> None:
    depth_m = np.ones((4, 6), np.float32)
    depth_m[1, 2] = np.nan
    file = io.BytesIO()
    np.save(file, depth_m)
    path = tar(tmp_path / "bad.tar", {"7.jpg": PHOTO, "7.depth.npy": file.getvalue()})
    with pytest.raises(DataError, match="7: 1 pixels are NaN"):
        Shards(path)[0]
    assert Shards(path, invalid="nan")[0].valid.sum() == 23


def test_a_name_twice_and_a_link(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as file:
        for _ in range(2):
            file.addfile(tarfile.TarInfo("7.jpg"), io.BytesIO())
    with pytest.raises(DataError, match=r"twice\.tar, 7\.jpg: stands there twice"):
        Shards(tmp_path / "twice.tar")

    def link(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0

    with pytest.raises(DataError, match=r"7\.jpg: a link or device"):
        Shards(tar(tmp_path / "link.tar", {"7.jpg": b""}, link))


@pytest.mark.parametrize("keep", [0, 100, 700, 2600])
def test_a_tar_that_is_cut_short(keep: int, tmp_path: Path) -> None:
    path = tar(
        tmp_path / "cut.tar",
        {f"{i}.{kind}": data for i in (1, 2) for kind, data in [("jpg", PHOTO), ("depth.png", DEPTH)]},
    )
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cut\.tar.*cut short|cut\.tar, 2: no depth"):
        Shards(path)


def test_a_compressed_tar(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress(tar(tmp_path / "b.tar", WHOLE).read_bytes()))
    with pytest.raises(DataError, match=r"a\.tar: no tar, compressed"):
        Shards(path)


def test_an_index_at_odds_with_its_shards(shards: Path, tmp_path: Path) -> None:
    folder = copy(shards, tmp_path / "odd")
    first, index = folder / "train-000000.tar", folder / "train-index.json"
    whole = first.read_bytes()
    first.write_bytes(whole[:-1024])
    with pytest.raises(DataError, match=rf"train-000000\.tar: has {len(whole) - 1024} bytes, train-index\.json says"):
        Shards(folder)
    first.unlink()
    with pytest.raises(DataError, match=r"train-000000\.tar: cannot be opened"):
        Shards(folder)
    first.write_bytes(whole)
    (folder / "train-000099.tar").write_bytes(whole)
    with pytest.raises(DataError, match=r"train-000099\.tar: does not stand in train-index\.json"):
        Shards(folder)
    (folder / "train-000099.tar").unlink()
    values = json.loads(index.read_text())
    for change in ({"name": "../x.tar"}, {"frames": 99}, {"ranges": [[0] * 6]}, {"keys": None}):
        broken = {**values, "shards": [{**values["shards"][0], **change}, *values["shards"][1:]]}
        index.write_text(json.dumps(broken))
        with pytest.raises(DataError, match=r"train-index\.json: damaged"):
            Shards(folder)
    index.write_text("{")
    with pytest.raises(DataError, match=r"train-index\.json: no index of shards"):
        Shards(folder)


def test_another_split_and_nothing_there(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no test-\*\.tar there, but train-000000\.tar"):
        Shards(shards, "test")
    with pytest.raises(DataError, match=r"no train-\*\.tar there"):
        Shards(tmp_path)
    with pytest.raises(DataError, match=r"nowhere\.tar: cannot be opened"):
        Shards(tmp_path / "nowhere.tar")
    with pytest.raises(DataError, match="no file matches"):
        Shards(str(tmp_path / "train-*.tar"))


def test_shards_of_others_are_not_written_over(nyu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tar(tmp_path / "train-000000.tar", WHOLE)
    assert prepare(nyu, tmp_path) == 1
    assert "lies there already" in capsys.readouterr().err
