"""A plain folder or manifest.csv of one's own, and the depth files in it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from densedepth.data import open_dataset
from densedepth.data.readers.depth_files import read_depth_values
from densedepth.data.readers.folder import Folder
from densedepth.errors import DataError
from densedepth.types import Camera, DepthMap

SHAPE = (6, 8)


def photo(path: Path, shape: tuple[int, int] = SHAPE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), 90, np.uint8)).save(path)
    return path


def depth(path: Path, values: np.ndarray | float = 2000, dtype: type = np.uint16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array: np.ndarray = np.broadcast_to(np.asarray(values, dtype), SHAPE).copy()
    np.save(path, array) if path.suffix == ".npy" else Image.fromarray(array).save(path)
    return path


def frames(root: Path, *names: str) -> Path:
    for name in names:
        photo(root / "rgb" / f"{name}.png")
        depth(root / "depth" / f"{name}.png")
    return root


MM: dict[str, Any] = {"metres_per_unit": 0.001}


def test_frame(tmp_path: Path) -> None:
    root = frames(tmp_path, "kitchen/1", "kitchen/2", "bath/1")
    dataset = open_dataset("folder", root, "train", **MM)
    assert list(dataset.scenes) == ["bath", "kitchen", "kitchen"]
    frame = dataset[1]
    assert (frame.scene, frame.key, frame.camera) == ("kitchen", "rgb/kitchen/1.png", None)
    assert frame.image.shape == (*SHAPE, 3)
    np.testing.assert_allclose(frame.depth_m, 2.0)
    assert frame.valid.all()


def test_large_photos_can_be_read_smaller(tmp_path: Path) -> None:
    """Half the pixels of photo and depth, and a camera that fits."""
    (tmp_path / "rgb").mkdir()
    (tmp_path / "depth").mkdir()
    Image.fromarray(np.full((61, 80, 3), 90, np.uint8)).save(tmp_path / "rgb/1.jpg")
    values = np.arange(61 * 80, dtype=np.uint16).reshape(61, 80) + 1000
    Image.fromarray(values).save(tmp_path / "depth/1.png")
    dataset = Folder(tmp_path, focal_px=100, **MM)
    frame = dataset.frame(0, (30, 40))
    assert frame.image.shape == (31, 40, 3)
    np.testing.assert_allclose(frame.depth_m, values[::2, ::2] / 1000, rtol=1e-6)
    assert frame.camera is not None
    assert frame.camera.fx == 50
    assert dataset[0].image.shape == (61, 80, 3)


def test_whole_numbers_need_a_unit(tmp_path: Path) -> None:
    dataset = Folder(frames(tmp_path, "1"))
    with pytest.raises(DataError, match=r"1.png: whole numbers \(uint16\) of unknown unit; set metres_per_unit"):
        dataset[0]


def test_files_of_ours_say_their_unit_and_camera(tmp_path: Path) -> None:
    camera = Camera(7.0, 7.0, 4.0, 3.0, 8, 6)
    photo(tmp_path / "a.jpg")
    DepthMap(np.full(SHAPE, 1.5, np.float32), camera=camera).save(tmp_path / "a_depth.png")
    frame = Folder(tmp_path)[0]
    np.testing.assert_allclose(frame.depth_m, 1.5)
    assert frame.camera == camera


def test_floats_are_metres(tmp_path: Path) -> None:
    photo(tmp_path / "rgb/1.png")
    depth(tmp_path / "depth/1.npy", 3.5, np.float32)
    np.testing.assert_allclose(Folder(tmp_path)[0].depth_m, 3.5)
    np.testing.assert_allclose(Folder(tmp_path, metres_per_unit=0.5)[0].depth_m, 1.75)


@pytest.mark.parametrize(("mark", "invalid"), [(np.nan, "nan"), (np.inf, "nan"), (-1.0, -1), (99.0, 99), (0.0, 0)])
def test_invalid(tmp_path: Path, mark: float, invalid: float | Literal["nan"]) -> None:
    photo(tmp_path / "rgb/1.png")
    values = np.full(SHAPE, 2.0, np.float32)
    values[0], values[1, 0] = mark, 0
    depth(tmp_path / "depth/1.npy", values, np.float32)
    frame = Folder(tmp_path, invalid=invalid)[0]
    assert frame.valid.sum() == 5 * 8 - 1
    assert not frame.valid[0].any()
    assert not frame.valid[1, 0]


def test_what_is_not_declared_is_an_error(tmp_path: Path) -> None:
    photo(tmp_path / "rgb/1.png")
    for mark, message in ((np.nan, "8 pixels are NaN"), (-1.0, "8 pixels have negative depth")):
        values = np.full(SHAPE, 2.0, np.float32)
        values[0] = mark
        depth(tmp_path / "depth/1.npy", values, np.float32)
        with pytest.raises(DataError, match=message) as caught:
            Folder(tmp_path)[0]
        assert str(caught.value).startswith(str(tmp_path / "depth/1.npy"))


def test_max_depth(tmp_path: Path) -> None:
    photo(tmp_path / "rgb/1.png")
    values = np.full(SHAPE, 2000)
    values[0] = 9000
    depth(tmp_path / "depth/1.png", values)
    frame = Folder(tmp_path, max_depth_m=8.9, **MM)[0]
    assert not frame.valid[0].any()
    assert frame.depth_m.max() == 2


@pytest.mark.parametrize(
    ("names", "scenes"),
    [
        (["a/1", "a/2", "b/1"], ["a", "a", "b"]),
        (["hall_001", "hall_002", "yard_001", "yard_002"], ["hall", "hall", "yard", "yard"]),
        (["1", "2", "3"], ["run 1 of 3", "run 2 of 3", "run 3 of 3"]),
        ([f"{n:02}" for n in range(20)], [f"run {n // 2 + 1} of 10" for n in range(20)]),
    ],
)
def test_scenes(tmp_path: Path, names: list[str], scenes: list[str]) -> None:
    assert Folder(frames(tmp_path, *names), **MM).scenes == scenes


def test_no_split_means_all_is_train(tmp_path: Path) -> None:
    root = frames(tmp_path, "1", "2")
    assert len(Folder(root, "train", **MM)) == 2
    with pytest.raises(DataError, match="every frame is 'train'; put frames into folders test/ and train/"):
        Folder(root, "test", **MM)


def test_splits_by_folder(tmp_path: Path) -> None:
    for name in ("train/rgb/a/1", "train/rgb/a/2", "test/rgb/b/1"):
        photo(tmp_path / f"{name}.png")
        depth(tmp_path / f"{name.replace('rgb', 'depth')}.png")
    assert [entry.key for entry in Folder(tmp_path, "test", **MM).entries] == ["test/rgb/b/1.png"]
    assert Folder(tmp_path, "train", **MM).scenes == ["a", "a"]
    with pytest.raises(DataError, match="no split 'val'; it has train, test"):
        Folder(tmp_path, "val", **MM)


def test_splits_by_lists(tmp_path: Path) -> None:
    root = frames(tmp_path, "1", "2", "3")
    (root / "train.txt").write_text("rgb/1.png\n3\n")
    (root / "test.txt").write_text("2.png\n")
    assert [entry.key for entry in Folder(root, "train", **MM).entries] == ["rgb/1.png", "rgb/3.png"]
    assert [entry.key for entry in Folder(root, "test", **MM).entries] == ["rgb/2.png"]
    (root / "train.txt").write_text("1\n")
    with pytest.raises(DataError, match=r"1 frames belong to no split, others do; the first is rgb/3.png"):
        Folder(root, "train", **MM)


@pytest.mark.parametrize("name", ["train.txt", "assoc.txt"])
def test_a_list_that_is_no_text_is_named(tmp_path: Path, name: str) -> None:
    (frames(tmp_path, "1", "2") / name).write_bytes("1 caf\xe9.png 1 2.png\n".encode("latin-1"))
    with pytest.raises(DataError, match=rf"{name}: cannot be read as text .*save it as UTF-8"):
        Folder(tmp_path, **MM)


def test_a_glob_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'rgb/\*\*x' is no glob|no photos found"):
        Folder(frames(tmp_path, "1"), images="rgb/**x", depths="depth", **MM)


def test_named_folders_and_globs(tmp_path: Path) -> None:
    for name in ("left/1", "left/2", "z/1", "z/2"):
        (photo if name.startswith("left") else depth)(tmp_path / f"{name}.png")
    assert len(Folder(tmp_path, images="left", depths="z", **MM)) == 2
    with pytest.raises(DataError, match=r"1 photos without depth \(left/1.png"):
        Folder(tmp_path, images="left/*.png", depths="z/2.*", manifest=None)[0]
    for images in ("../left", "/left"):
        with pytest.raises(DataError, match="must be a subfolder or a glob"):
            Folder(tmp_path, images=images, depths="z")
    with pytest.raises(DataError, match="give both images and depths"):
        Folder(tmp_path, images="left")


def test_partners_are_not_skipped_silently(tmp_path: Path) -> None:
    root = frames(tmp_path, "1", "2")
    photo(root / "rgb/3.png")
    with pytest.raises(DataError, match=r"1 photos without depth \(rgb/3.png.*unpaired: skip"):
        Folder(root, **MM)
    assert len(Folder(root, unpaired="skip", **MM)) == 2


def test_sizes_must_agree(tmp_path: Path) -> None:
    photo(tmp_path / "rgb/1.png", (3, 4))
    depth(tmp_path / "depth/1.png")
    with pytest.raises(DataError, match="depth is 8x6, its photo 4x3"):
        Folder(tmp_path, **MM)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metres_per_unit": 0}, "metres_per_unit must be a positive number"),
        ({"metres_per_unit": "mm"}, "metres_per_unit must be a positive number"),
        ({"invalid": "none"}, "invalid must be a number or nan"),
        ({"fov": 60, "focal_px": 500}, "exclude focal_px"),
        ({"fov": 190}, "below 180"),
        ({"unpaired": "drop"}, "unpaired must be error or skip"),
        ({"scale": 2}, "has no option 'scale'"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset("folder", frames(tmp_path, "1"), "train", **options)


def test_cameras(tmp_path: Path) -> None:
    root = frames(tmp_path, "1")
    assert Folder(root, fov=90, **MM)[0].camera == pytest.approx(Camera.from_fov(8, 6, 90))
    assert Folder(root, focal_px=11, **MM)[0].camera == Camera(11, 11, 4, 3, 8, 6)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    Image.open(root / "rgb/1.png").save(root / "rgb/1.jpg", exif=exif)
    (root / "rgb/1.png").unlink()
    assert Folder(root, **MM)[0].camera == Camera.from_focal_35mm(8, 6, 28)


def manifest(root: Path, text: str) -> Folder:
    (root / "manifest.csv").write_bytes(text.encode())
    return Folder(root, **MM)


def test_manifest(tmp_path: Path) -> None:
    photo(tmp_path / "with, comma/1.png")
    photo(tmp_path / "2.png")
    depth(tmp_path / "d/1.png")
    depth(tmp_path / "d/2.png")
    text = (
        "\ufeffdepth,image,scene,split,fx,cy\r\n"
        'd/1.png,"with, comma/1.png",kitchen,train,7.5,2.5\r\n\r\n'
        "d\\2.png,2.png,bath,Testing,,\r\n"
    )
    dataset = manifest(tmp_path, text)
    assert dataset.scenes == ["kitchen"]
    assert dataset[0].camera == Camera(7.5, 7.5, 4, 2.5, 8, 6)
    test = Folder(tmp_path, "test", **MM)
    assert (test.scenes, test[0].camera) == (["bath"], None)
    assert test[0].key == "2.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.csv: holds no frames"),
        ("image,depth\n", "manifest.csv: holds no frames"),
        ("photo,depth\n", "line 1: the header has no column 'image'"),
        ("image,depth,colour\n", "line 1: unknown or repeated column 'colour'"),
        ("image,depth\nrgb/1.png\n", "line 2: 1 fields, but the header has 2"),
        ("image,depth\nrgb/1.png,\n", "line 2: 'depth' is empty"),
        ("image,depth\n\nrgb/1.png,depth/9.png\n", r"line 3: .*9.png is missing \(1 such files\)"),
        ("image,depth\n/etc/1.png,depth/1.png\n", "line 2: /etc/1.png is absolute"),
        ("image,depth\nC:\\a\\1.png,depth/1.png\n", "line 2: C:/a/1.png is absolute"),
        ('image,depth\nrgb/1.png,"depth/1.png\n', "line 2: not csv"),
        ("image,depth,fx\nrgb/1.png,depth/1.png,wide\n", "line 2: fx must be a number of pixels, got 'wide'"),
        ("image,depth,cx,fx\nrgb/1.png,depth/1.png,4,\n", "line 2: cx without fx"),
        ("image,depth,scene\nrgb/1.png,depth/1.png,a\nrgb/1.png,depth/1.png,\n", "line 3: no scene"),
        ("image,depth,split\nrgb/1.png,depth/1.png,test\nrgb/1.png,depth/1.png,\n", "line 3: no split"),
    ],
)
def test_bad_manifest(tmp_path: Path, text: str, message: str) -> None:
    frames(tmp_path, "1")
    with pytest.raises(DataError, match=message):
        manifest(tmp_path, text)


def test_manifest_errors_name_the_line_of_a_frame(tmp_path: Path) -> None:
    frames(tmp_path, "1")
    depth(tmp_path / "depth/1.png", 0)
    with pytest.raises(DataError, match=r"manifest.csv, line 2: .*depth/1.png: no pixel has a depth"):
        manifest(tmp_path, "image,depth\nrgb/1.png,depth/1.png\n")[0]


@pytest.mark.parametrize("path", ["", "nowhere"])
def test_nothing_there(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match=r"no photos found|no such folder"):
        Folder(tmp_path / path)


VALUES = np.arange(48).reshape(SHAPE)


@pytest.mark.parametrize(
    ("name", "array", "dtype"),
    [
        ("a.png", VALUES.astype(np.uint8), np.uint8),
        ("a.png", (VALUES * 900).astype(np.uint16), np.uint16),
        ("a.png", np.repeat(VALUES.astype(np.uint8)[..., None], 3, 2), np.uint8),
        ("a.tiff", VALUES.astype(np.float32), np.float32),
        ("a.tiff", (VALUES * 900).astype(np.uint16), np.uint16),
        ("a.npy", VALUES.astype(np.float64), np.float64),
        ("a.npy", VALUES.astype(np.int32)[..., None], np.int32),
        ("a.npy", VALUES.astype(np.float16)[None], np.float16),
    ],
)
def test_depth_values(tmp_path: Path, name: str, array: np.ndarray, dtype: type) -> None:
    path = tmp_path / name
    np.save(path, array) if name.endswith("npy") else Image.fromarray(array).save(path)
    expected = array[..., 0] if array.shape[-1] in (1, 3) else array.reshape(SHAPE)
    for source in (path, path.read_bytes()):
        found = read_depth_values(source)
        assert found.values.dtype == dtype
        np.testing.assert_array_equal(found.values, expected)
        assert found.metres_per_unit is None


def test_npz_and_files_of_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", depth=VALUES, other=VALUES[:2])
    np.testing.assert_array_equal(read_depth_values(tmp_path / "a.npz").values, VALUES)
    camera = Camera(7.0, 7.0, 4.0, 3.0, 8, 6)
    made = DepthMap(np.full(SHAPE, 1.25, np.float32), camera=camera)
    for name, scale in (("b.npz", None), ("b.png", 0.001), ("b.tiff", 1.0)):
        made.save(tmp_path / name)
        found = read_depth_values(tmp_path / name)
        assert (found.metres_per_unit, found.camera) == (scale, camera)
        np.testing.assert_allclose(found.values * (scale or 1), 1.25)


def test_bad_depth_files(tmp_path: Path) -> None:
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "cube.npy", np.zeros((3, 4, 5)))
    np.savez(tmp_path / "two.npz", a=VALUES, b=VALUES)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (99999, 99999)})
    (tmp_path / "huge.npy").write_bytes(header.getvalue())
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01 and no more")
    photo(tmp_path / "photo.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)).save(tmp_path / "coloured.png")
    for name, message in {
        "pickled.npy": "Object arrays|damaged",
        "cube.npy": r"shape \(H, W\)",
        "two.npz": "none of its arrays is called",
        "huge.npy": "more than the limit",
        "text.png": "not a picture",
        "empty.png": "empty",
        "missing.png": "no such file",
        "coloured.png": "depth has one channel",
        "a.exr": "OpenEXR|damaged",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            read_depth_values(tmp_path / name)
        text = str(caught.value)
        assert text.startswith(str(tmp_path / name))
        assert "\n" not in text
        assert text.count(name) == 1
