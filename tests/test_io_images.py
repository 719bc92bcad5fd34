"""Any picture becomes upright 8-bit RGB; anything else becomes one line that names it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from densedepth.errors import ImageError
from densedepth.io import opening as opening_module
from densedepth.io import read_image, read_photo

RAMP = np.linspace(0, 65535, 12).astype(np.uint16).reshape(3, 4)
RAMP_8 = np.rint(RAMP / 257).astype(np.uint8)


def save(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def noise(width: int = 9, height: int = 6) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = Image.fromarray(RAMP) if mode == "I;16" else noise().convert(mode)
    image = read_image(save(picture, tmp_path / f"x{suffix}"))
    assert image.shape == (picture.height, picture.width, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


def test_colours_are_kept_from_path_string_bytes_file_and_picture(tmp_path: Path) -> None:
    path = save(noise(), tmp_path / "x.png")
    for source in (
        path,
        str(path),
        path.read_bytes(),
        path.open("rb"),
        Image.open(path),
        np.asarray(noise()),
    ):
        np.testing.assert_array_equal(read_image(source), np.asarray(noise()))


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(noise(), tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(Image.open(path))))
    assert read_image(path).shape[:2] == ((9, 6) if turn >= 5 else (6, 9))


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
    assert (read_image(save(clear, tmp_path / "rgba.png")) == 255).all()
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([200, 0, 0, 0, 200, 0])
    assert (read_image(save(palette, tmp_path / "p.png", transparency=0)) == 255).all()
    assert read_image(save(palette, tmp_path / "opaque.png"))[0, 0].tolist() == [200, 0, 0]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    pixel = read_image(save(red, tmp_path / "x.jpg", quality=100))[0, 0]
    assert pixel[0] > 200
    assert pixel[1] < 50


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(Image.fromarray(RAMP), tmp_path / f"x{suffix}"))
    np.testing.assert_array_equal(image, np.repeat(RAMP_8[..., None], 3, axis=2))


def test_deep_grey_of_other_kinds(tmp_path: Path) -> None:
    wide = save(Image.fromarray(RAMP.astype(np.int32)), tmp_path / "i.tif")
    unit = save(Image.fromarray((RAMP / 65535).astype(np.float32)), tmp_path / "f.tif")
    np.testing.assert_array_equal(read_image(wide)[..., 0], RAMP_8)
    np.testing.assert_array_equal(read_image(unit)[..., 0], RAMP_8)


@pytest.fixture
def bad_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"{request.param}.jpg"
    whole = io.BytesIO()
    noise(200, 100).save(whole, "JPEG")
    if request.param == "folder":
        path.mkdir()
    elif request.param != "missing":
        contents = {
            "empty": b"",
            "text": b"dear diary",
            "cut": whole.getvalue()[: whole.tell() // 2],
            "head": whole.getvalue()[:20],
            "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        }
        path.write_bytes(contents[request.param])
    return path


@pytest.mark.parametrize("bad_file", ["missing", "folder", "empty", "text", "cut", "head", "postscript"], indirect=True)
def test_what_is_no_picture_is_one_line_naming_it(bad_file: Path) -> None:
    with pytest.raises(ImageError) as caught:
        read_image(bad_file)
    assert str(bad_file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_bytes_and_arrays() -> None:
    for source in (b"", b"no", np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3))):
        with pytest.raises(ImageError):
            read_image(source)


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(noise(2000, 1000), tmp_path / "big.png")
    monkeypatch.setattr(opening_module, "MAX_MEGAPIXELS", 1)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="2 megapixels, more than the limit of 1"):
        read_image(path)


def test_our_limit_replaces_pillows_and_leaves_it_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(noise(50, 50), tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(path).shape == (50, 50, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_heic_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageError, match=r"x\.heic.*pip install densedepth\[heic\]"):
        read_image(path)


def with_focal(path: Path, focal_mm: object, turn: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = turn
    exif.get_ifd(0x8769)[0xA405] = focal_mm
    return save(noise(300, 400), path, exif=exif)


@pytest.mark.parametrize("turn", [1, 6])
def test_exif_camera(tmp_path: Path, turn: int) -> None:
    photo = read_photo(with_focal(tmp_path / "x.jpg", 26, turn))
    assert photo.camera is not None
    assert (photo.camera.height, photo.camera.width) == photo.image.shape[:2]
    assert photo.camera.fx == pytest.approx(26 / 43.2666 * 500, rel=1e-4)


@pytest.mark.parametrize("focal_mm", [0, 1, 65535])
def test_implausible_exif_focal_is_no_camera(tmp_path: Path, focal_mm: int) -> None:
    assert read_photo(with_focal(tmp_path / "x.jpg", focal_mm)).camera is None


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(noise(), tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    assert read_photo(path).camera is None


def test_heic_is_read() -> None:
    pytest.importorskip("pi_heif", reason="HEIC: pip install densedepth[heic]")
    image = read_image(Path(__file__).parent / "data" / "red_blue.heic")
    assert image.shape == (48, 64, 3)
    # Lossy, so only nearly the colours it was made from.
    np.testing.assert_allclose(image[:, :28].mean((0, 1)), (200, 30, 30), atol=6)
    np.testing.assert_allclose(image[:, 36:].mean((0, 1)), (30, 30, 200), atol=6)


@pytest.mark.parametrize(
    ("at_least", "reduced"),
    [((480, 640), 1), ((241, 320), 1), ((240, 320), 2), ((121, 1), 2), ((120, 160), 4), ((1, 1), 8), ((999, 999), 1)],
)
def test_a_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path, at_least: tuple[int, int], reduced: int) -> None:
    x, y = np.meshgrid(np.linspace(0, 255, 640), np.linspace(0, 255, 480))
    path = save(Image.fromarray(np.stack([x, y, 128 + 0 * x], 2).astype(np.uint8)), tmp_path / "x.jpg", quality=95)
    photo = read_photo(path, at_least)
    assert photo.reduced == reduced
    assert photo.image.shape == (480 // reduced, 640 // reduced, 3)
    area = np.asarray(Image.open(path).reduce(reduced), dtype=int)
    assert np.abs(photo.image - area).max() <= 3, "the decoder averages blocks in place"
    np.testing.assert_array_equal(read_image(path, at_least), photo.image)


def test_reduced_decoding_of_odd_and_turned_photos(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 26
    path = save(noise(641, 320), tmp_path / "x.jpg", exif=exif)
    photo = read_photo(path, (320, 160))
    assert photo.image.shape == (321, 160, 3), "upright: 641 high and 320 wide"
    whole = read_photo(path)
    assert photo.camera is not None
    assert whole.camera is not None
    assert (photo.camera.height, photo.camera.width) == (321, 160)
    assert photo.camera.fx == pytest.approx(whole.camera.fx / 2, rel=2e-3)
    assert read_photo(path, (320, 161)).reduced == 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_other_formats_come_whole(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(save(noise(64, 48), tmp_path / f"x{suffix}"), (6, 8))
    assert (photo.image.shape, photo.reduced) == ((48, 64, 3), 1)
    assert read_photo(noise(64, 48), (6, 8)).reduced == 1


def test_a_damaged_jpeg_is_named_when_reduced(tmp_path: Path) -> None:
    path = save(noise(640, 480), tmp_path / "x.jpg")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ImageError, match=r"x\.jpg: damaged or cut short"):
        read_image(path, (240, 320))


def test_reading_leaves_the_callers_picture_alone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(save(noise(), tmp_path / "x.png", exif=exif))
    assert read_image(picture).shape == (9, 6, 3)
    assert picture.size == (9, 6)
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(noise()))
