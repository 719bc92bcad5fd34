"""Photos and depth files find each other by the usual naming habits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densedepth.data.readers.pairing import Pairing, find_pairs, sort_files
from densedepth.errors import DataError


def pairing(root: Path, *names: str) -> Pairing:
    """Make files of these names, 16-bit where the ending says so, and pair them."""
    files = []
    for name in names:
        name, _, kind = name.partition(":")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dtype = {"deep": np.uint16, "grey": np.uint8}.get(kind)
        pixels = np.zeros((2, 2, 3), np.uint8) if dtype is None else np.zeros((2, 2), dtype)
        if path.suffix in (".npy", ".txt"):
            path.write_bytes(b"")
        else:
            Image.fromarray(pixels).save(path)
        files.append(name)
    return find_pairs(root, *sort_files(root, files))


@pytest.mark.parametrize(
    ("photo", "depth"),
    [
        ("rgb/0001.png", "depth/0001.png:deep"),
        ("images/a/7.jpg", "depths/a/7.npy"),
        ("x_rgb.png", "x_depth.png"),
        ("x.jpg", "x.png:deep"),
        ("x.jpg", "x.png:grey"),
        ("x.png", "x.npy"),
        ("rgb_00045.jpg", "sync_depth_00045.png:deep"),
        ("rgb-0001.png", "depth-0001.png"),
        ("rgbImage_3.png", "depthImage_3.png"),
        ("frame-000012.color.jpg", "frame-000012.depth.png:deep"),
        ("frame1/rgb.png", "frame1/depth.png"),
        ("00000_colors.png", "00000_depth.png:deep"),
        ("scene/image/3.png", "scene/disp/3.png"),
        ("depth_set/rgb/1.png", "depth_set/depth/1.png"),
        ("depth/colour_1.png", "depth/depth_1.png"),
        ("photos/summer/1.png", "truth/summer/depth_1.png"),
    ],
)
def test_habits(tmp_path: Path, photo: str, depth: str) -> None:
    found = pairing(tmp_path, photo, depth)
    assert found.pairs == [(photo, depth.partition(":")[0])]
    assert not found.lone_photos
    assert not found.lone_depths


def test_every_frame_finds_its_own(tmp_path: Path) -> None:
    names = [f"{kind}/{scene}/{n:03}.png" for kind in ("rgb", "depth") for scene in "ab" for n in range(5)]
    found = pairing(tmp_path, *names)
    assert found.pairs == [(f"rgb/{s}/{n:03}.png", f"depth/{s}/{n:03}.png") for s in "ab" for n in range(5)]


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    found = pairing(tmp_path, "rgb/1.png", "rgb/2.png", "depth/2.png", "depth/3.png", "mask/2.png", "notes.txt")
    assert found.pairs == [("rgb/2.png", "depth/2.png")]
    assert (found.lone_photos, found.lone_depths) == (["rgb/1.png"], ["depth/3.png"])


def test_our_coloured_pictures_are_no_photos(tmp_path: Path) -> None:
    found = pairing(tmp_path, "a.jpg", "a_depth.png:deep", "a_depth_color.png")
    assert found.pairs == [("a.jpg", "a_depth.png")]
    assert not found.lone_photos


def test_nearest_time_stamps(tmp_path: Path) -> None:
    found = pairing(
        tmp_path,
        "rgb/1305031102.175304.png",
        "rgb/1305031102.211214.png",
        "rgb/1305031102.900000.png",
        "depth/1305031102.160407.png",
        "depth/1305031102.194330.png",
        "depth/1305031102.226738.png",
    )
    assert found.pairs == [
        ("rgb/1305031102.175304.png", "depth/1305031102.160407.png"),
        ("rgb/1305031102.211214.png", "depth/1305031102.226738.png"),
    ]
    assert "time stamps" in found.rule
    assert found.lone_photos == ["rgb/1305031102.900000.png"]
    assert found.lone_depths == ["depth/1305031102.194330.png"]


def test_nanoseconds(tmp_path: Path) -> None:
    found = pairing(tmp_path, "rgb/1403636579763555584.png", "depth/1403636579768555584.png")
    assert len(found.pairs) == 1
    assert not pairing(tmp_path / "far", "rgb/1403636579763555584.png", "depth/1403636579863555584.png").pairs


@pytest.mark.parametrize("line", ["1 rgb/1.png 2 depth/7.png", "2 depth/7.png 1 rgb/1.png"])
def test_associations_decide(tmp_path: Path, line: str) -> None:
    (tmp_path / "associations.txt").write_text(f"# time file time file\n\n{line}\n")
    found = pairing(tmp_path, "rgb/1.png", "depth/1.png", "depth/7.png")
    assert found.pairs == [("rgb/1.png", "depth/7.png")]
    assert found.lone_depths == ["depth/1.png"]


def test_bad_association(tmp_path: Path) -> None:
    (tmp_path / "associations.txt").write_text("1 rgb/1.png 2 depth/7.png\n1 rgb/1.png\n")
    with pytest.raises(DataError, match=r"associations.txt, line 2: expected"):
        pairing(tmp_path, "rgb/1.png", "depth/7.png")


def test_many_files_are_quick(tmp_path: Path) -> None:
    photos = [f"rgb/{1305031102 + n / 30:.6f}.png" for n in range(5000)]
    depths = [f"depth/{1305031102.005 + n / 30:.6f}.png" for n in range(5000)]
    found = find_pairs(tmp_path, photos, depths)
    assert found.pairs == list(zip(photos, depths, strict=True))
