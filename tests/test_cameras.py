"""Which camera a photo gets: what the user says, by name or number, and the errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from conftest import MakeBundle
from densedepth import cli
from densedepth.errors import ImageError
from densedepth.io import CAMERA_NAMES, CameraChoice, load_depth
from densedepth.io.cameras import PHONES_35MM, SENSORS
from densedepth.types import Camera


def fov_deg(focal_px: float, side_px: float) -> float:
    return math.degrees(2 * math.atan(side_px / 2 / focal_px))


@pytest.mark.parametrize(
    ("choice", "camera"),
    [
        (CameraChoice(), None),
        (CameraChoice(fov=90), Camera(400, 400, 400, 300, 800, 600)),
        (CameraChoice(focal_px=500), Camera(500, 500, 400, 300, 800, 600)),
        (CameraChoice(focal_35mm=43.266615), Camera(1000, 1000, 400, 300, 800, 600)),
        (CameraChoice(intrinsics=(500, 510, 390, 310)), Camera(500, 510, 390, 310, 800, 600)),
        (CameraChoice(intrinsics=(250, 255, 195, 155, 400, 300)), Camera(500, 510, 390, 310, 800, 600)),
        (CameraChoice(camera="kinect-v1"), Camera(656.25, 656.25, 400, 300, 800, 600)),
    ],
    ids=str,
)
def test_what_the_user_says(choice: CameraChoice, camera: Camera | None) -> None:
    chosen = choice.camera_for(800, 600)
    if camera is None or chosen is None:
        assert chosen is camera
        return
    assert list(chosen.to_dict().values()) == pytest.approx(list(camera.to_dict().values()), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "vertical_deg"),
    [
        ("kinect-v2", (1920, 1080), 53.8),
        ("azure-kinect", (1280, 720), 59),
        ("azure-kinect", (2048, 1536), 74.3),
        ("realsense-d435", (1280, 720), 42.5),
        ("realsense-d435", (640, 480), 42.5),
    ],
)
def test_sensors_have_the_height_of_their_data_sheet_too(name: str, size: tuple[int, int], vertical_deg: float) -> None:
    """The table has one angle of each; the other one of the data sheet follows from it."""
    camera = CameraChoice(camera=name).camera_for(*size)
    assert camera is not None
    assert fov_deg(camera.fy, camera.height) == pytest.approx(vertical_deg, rel=0.012)


def test_the_d435_is_as_wide_as_its_data_sheet_says() -> None:
    camera = CameraChoice(camera="realsense-d435").camera_for(1920, 1080)
    assert camera is not None
    assert fov_deg(camera.fx, camera.width) == pytest.approx(69.4, rel=0.012)


@pytest.mark.parametrize("name", CAMERA_NAMES)
def test_named_cameras_can_be_turned(name: str) -> None:
    size = (SENSORS[name][0].width, SENSORS[name][0].height) if name in SENSORS else (4032, 3024)
    lying, standing = CameraChoice(camera=name).camera_for(*size), CameraChoice(camera=name).camera_for(*size[::-1])
    assert lying is not None
    assert standing is not None
    assert lying.focal_px == pytest.approx(standing.focal_px)
    assert (standing.cx, standing.cy) == (size[1] / 2, size[0] / 2)
    if name in PHONES_35MM:
        assert lying.focal_35mm == pytest.approx(PHONES_35MM[name])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fov": 60, "focal_35mm": 28}, "fov and focal_35mm both say the camera: give one of them"),
        ({"fov": 0}, "between 0 and 180 degrees"),
        ({"fov": math.nan}, "between 0 and 180 degrees"),
        ({"focal_px": -1}, "focal_px must be positive pixels, got -1"),
        ({"focal_35mm": math.inf}, "focal_35mm must be positive millimetres"),
        ({"camera": "kinect-v3"}, "did you mean 'kinect-v"),
        ({"camera": "hasselblad"}, "there are kinect-v1"),
        ({"intrinsics": (500, 500, 320)}, "intrinsics are fx fy cx cy, or"),
        ({"intrinsics": (500, 0, 320, 240)}, "intrinsics must be positive pixels"),
        ({"intrinsics": (500, 500, 320, 240, 640.5, 480)}, "whole pixels"),
    ],
    ids=str,
)
def test_what_makes_no_sense(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CameraChoice(**values)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (CameraChoice(camera="kinect-v2"), "kinect-v2 takes pictures shaped 1920 x 1080, this one has 640 x 480"),
        (CameraChoice(intrinsics=(500, 500, 900, 240)), r"principal point \(900, 240\) lies outside"),
        (CameraChoice(intrinsics=(500, 500, 320, 240, 1920, 1080)), "for 1920 x 1080 pixels, the photo has 640 x 480"),
    ],
)
def test_a_camera_of_another_shape(choice: CameraChoice, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        choice.camera_for(640, 480)


@pytest.mark.parametrize(
    ("exif_mm", "words", "source", "focal_px"),
    [
        (None, [], "assumed", None),
        (43.266615, [], "exif", 400),
        (43.266615, ["--focal-px", "300"], "given", 300),
        (None, ["--camera", "kinect-v1"], "given", 262.5),
        (None, ["--intrinsics", "310", "310", "160", "120"], "given", 310),
    ],
)
def test_the_map_says_where_its_camera_comes_from(
    tiny_bundle: MakeBundle, tmp_path: Path, exif_mm: float | None, words: list[str], source: str, focal_px: float
) -> None:
    exif = Image.Exif()
    if exif_mm is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = exif_mm
    picture = Image.fromarray(np.full((240, 320, 3), 99, np.uint8))
    picture.save(tmp_path / "x.jpg", exif=exif)
    run = ["predict", str(tmp_path / "x.jpg"), "-o", str(tmp_path), "--model", str(tiny_bundle()), "--format", "npz"]
    assert cli.main([*run, *words]) == 0
    depth = load_depth(tmp_path / "x_depth.npz")
    assert depth.camera_source == source
    assert depth.camera is not None
    if focal_px is not None:
        assert depth.camera.focal_px == pytest.approx(focal_px, rel=0.01)


def test_wrong_cameras_are_one_line(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "x.png")
    run = ["predict", str(tmp_path / "x.png"), "-o", str(tmp_path), "--model", str(tiny_bundle())]
    assert cli.main([*run, "--camera", "kinekt-v2"]) == 2
    assert capsys.readouterr().err == "error: no camera is named 'kinekt-v2'; did you mean 'kinect-v2'?\n"
    assert cli.main([*run, "--camera", "kinect-v2"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'x.png'}: kinect-v2 takes pictures shaped")
    assert error.count("\n") == 1
