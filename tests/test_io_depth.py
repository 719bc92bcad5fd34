"""What is saved is read back; what does not fit is refused; nothing half-written stays."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from densedepth.errors import DepthFileError
from densedepth.io import WRITERS, load_depth, replacing
from densedepth.types import Camera, DepthMap

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)


@st.composite
def depth_maps(draw: st.DrawFn, low_m: float, high_m: float) -> DepthMap:
    values = st.floats(low_m, high_m, width=32)
    depth_m = draw(hnp.arrays(np.float32, shapes, elements=values))
    valid = draw(hnp.arrays(np.bool_, depth_m.shape))
    camera = draw(st.none() | st.just(Camera.from_fov(depth_m.shape[1], depth_m.shape[0], 61.7)))
    source = None if camera is None else draw(st.sampled_from(["given", "exif", "assumed"]))
    model = draw(st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
    return DepthMap(depth_m, valid, camera, source, model=model)


def saved_and_loaded(depth: DepthMap, suffix: str) -> DepthMap:
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_depth(depth.save(Path(folder, f"x{suffix}")))
    assert (loaded.camera, loaded.camera_source, loaded.model) == (
        depth.camera,
        depth.camera_source,
        depth.model,
    )
    np.testing.assert_array_equal(loaded.valid, depth.valid)
    return loaded


@settings(max_examples=40, deadline=None)
@given(depth_maps(np.float32(1e-30).item(), np.float32(1e30).item()), st.sampled_from([".npz", ".tiff", ".tif"]))
def test_float_formats_are_bit_identical(depth: DepthMap, suffix: str) -> None:
    assert saved_and_loaded(depth, suffix).depth_m.tobytes() == depth.depth_m.tobytes()


@settings(max_examples=40, deadline=None)
@given(depth_maps(0.0009765625, 65.5))
def test_png_is_within_half_a_millimetre(depth: DepthMap) -> None:
    loaded = saved_and_loaded(depth, ".png")
    # 4e-6: float32 at 65 m.
    assert np.abs(loaded.depth_m.astype(np.float64) - depth.depth_m).max() <= 0.0005 + 4e-6


def test_png_chunks_are_documented_text(tmp_path: Path) -> None:
    depth = DepthMap(np.full((2, 3), 1.2345, np.float32), camera=Camera.from_fov(3, 2, 60), model="nyu")
    with Image.open(depth.save(tmp_path / "x.png")) as picture:
        assert np.asarray(picture).tolist() == [[1235, 1235, 1235]] * 2
        assert picture.info["densedepth.unit"] == "mm"
        assert picture.info["densedepth.model"] == "nyu"
        assert picture.info["densedepth.camera"].startswith('{"fx"')


@pytest.mark.parametrize("depth_m", [65.5356, 1000.0, 0.0004])
def test_png_refuses_what_it_cannot_hold(tmp_path: Path, depth_m: float) -> None:
    depth = DepthMap(np.array([[1, depth_m]], np.float32))
    with pytest.raises(DepthFileError, match=r"\.npz or \.tiff"):
        depth.save(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_failed_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = DepthMap(np.ones((2, 2), np.float32)).save(tmp_path / "x.npz")
    before = path.read_bytes()

    def half(depth: DepthMap, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setitem(WRITERS, ".npz", half)
    with pytest.raises(DepthFileError, match="disk full"):
        DepthMap(np.ones((2, 2), np.float32)).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_results_get_the_permissions_of_any_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o027)
    try:
        # To ask for it is to change it for all threads.
        with monkeypatch.context() as during:
            during.setattr(os, "umask", lambda mask: pytest.fail("the umask was changed"))
            path = DepthMap(np.ones((2, 2), np.float32)).save(tmp_path / "x.npz")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_of_that_name_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"x\.npz"), replacing(tmp_path / "x.npz"):
        pytest.fail("the work was begun")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_overwrite_false_and_new_folders(tmp_path: Path) -> None:
    depth = DepthMap(np.ones((2, 2), np.float32))
    path = depth.save(tmp_path / "a" / "b" / "x.npz", overwrite=False)
    with pytest.raises(DepthFileError, match="exists"):
        depth.save(path, overwrite=False)


@pytest.mark.parametrize("name", ["x.jpg", "x.exr", "x"])
def test_unknown_suffix_lists_the_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(DepthFileError, match=r"\.png, \.npz, \.tiff"):
        DepthMap(np.ones((2, 2), np.float32)).save(tmp_path / name)
    with pytest.raises(DepthFileError, match=r"\.png, \.npz, \.tiff"):
        load_depth(tmp_path / name)


def test_foreign_16_bit_png_is_millimetres_unless_told(tmp_path: Path) -> None:
    for name in ("x.png", "x.tif"):
        Image.fromarray(np.array([[0, 256, 65535]], np.uint16)).save(tmp_path / name)
        np.testing.assert_allclose(load_depth(tmp_path / name).depth_m, [[0, 0.256, 65.535]], rtol=1e-6)
        assert load_depth(tmp_path / name, metres_per_unit=1 / 256).depth_m[0, 1] == 1
        assert not load_depth(tmp_path / name, metres_per_unit=0).valid.any()


def test_8_bit_png_is_refused_unless_told(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(DepthFileError, match=r"x\.png.*metres_per_unit"):
        load_depth(tmp_path / "x.png")
    assert load_depth(tmp_path / "x.png", metres_per_unit=10 / 255).depth_m.tolist() == [[0, 10]]
    Image.new("RGB", (2, 2)).save(tmp_path / "rgb.png")
    with pytest.raises(DepthFileError, match=r"rgb\.png"):
        load_depth(tmp_path / "rgb.png", metres_per_unit=1)


@pytest.mark.parametrize("suffix", [".png", ".npz", ".tiff"])
def test_damaged_files_are_one_line_naming_them(tmp_path: Path, suffix: str) -> None:
    noise_m = np.random.default_rng(0).uniform(1, 9, (64, 64)).astype(np.float32)
    path = DepthMap(noise_m).save(tmp_path / f"x{suffix}")
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DepthFileError) as caught:
            load_depth(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(DepthFileError, match="no such file"):
        load_depth(path)


def test_npz_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", depth_m=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DepthFileError):
        load_depth(tmp_path / "x.npz")
