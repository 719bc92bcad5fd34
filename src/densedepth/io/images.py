"""Reading a photo of any mode, turn and bit depth as upright 8-bit RGB, with its EXIF camera."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from densedepth.errors import ImageError
from densedepth.io.opening import Source, label_of, one_line, open_picture
from densedepth.types import Camera

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
        *(".ppm", ".pgm", ".pnm", ".jp2", ".avif", ".heic", ".heif"),
    }
)
"""Lower-case suffixes that look like a photo; what is taken from a folder."""

PLAUSIBLE_FOCAL_35MM = (6.0, 1200.0)
"""Millimetres, from fisheye to long telephoto. What lies outside is a maker's placeholder."""

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


class Photo(NamedTuple):
    """A photo as it should be seen.

    Attributes:
        image: uint8 (H, W, 3) RGB, contiguous, upright.
        camera: the camera from the photo's EXIF data, for the upright image, or None.
        reduced: each pixel is the average of this many of the file, both ways; 1 unless less was asked for.
    """

    image: NDArray[np.uint8]
    camera: Camera | None
    reduced: int = 1


ImageLike = Source | Image.Image | NDArray[Any] | Photo


def read_image(source: ImageLike, at_least: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read a picture as upright RGB.

    EXIF orientation is applied. Grey, palette, CMYK and 1-bit pictures become RGB; transparent ones are laid
    on white, as most viewers show them; 16-bit grey is scaled so that 65535 becomes 255.

    Args:
        source: path, open binary file, the bytes of a file, PIL image, uint8 array (H, W, 3), or `Photo`.
        at_least: (height, width) that is enough. A JPEG file is then decoded at 1/2, 1/4 or 1/8 of its size,
            the smallest that has as many pixels both ways; anything else comes whole. The decoder leaves out the
            high frequencies of each block. On 795 NYU photos at 1/2 that lies .70 of 255 levels (mean absolute
            difference) from the full photo averaged 2x2; the full photo resized by Pillow's Hamming filter lies
            .65, bicubic .91, bilinear 1.57 from it (`benchmarks/loader.py --only quality`).

    Returns:
        uint8 (H, W, 3), contiguous.

    Raises:
        ImageError: missing, a folder, empty, no picture, damaged, or over 200 megapixels.
    """
    return read_photo(source, at_least).image


def read_photo(source: ImageLike, at_least: tuple[int, int] | None = None) -> Photo:
    """Read a picture as upright RGB, with the camera that its EXIF focal length tells.

    Args:
        source: see `read_image`; a `Photo` comes back as it is.
        at_least: see `read_image`.

    Returns:
        The photo. Arrays have no camera, and neither have files without a plausible 35mm-equivalent focal length.

    Raises:
        ImageError: see `read_image`.
    """
    if isinstance(source, Photo):
        return source
    if isinstance(source, np.ndarray):
        return Photo(_checked_array(source), None)
    if isinstance(source, Image.Image):
        return _decoded(source, "<PIL image>")
    with open_picture(source) as picture:
        reduced = 1 if at_least is None else _decode_small(picture, at_least)
        return _decoded(picture, label_of(source))._replace(reduced=reduced)


def _checked_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ImageError(f"an image array must be uint8 of shape (H, W, 3), got {array.dtype} {array.shape}")
    return np.ascontiguousarray(array)


def _decode_small(picture: Image.Image, at_least: tuple[int, int]) -> int:
    """Let a JPEG's decoder leave out pixels that nobody asked for; 1 of how many is left. Others have no such mode."""
    full_width, (height, width) = picture.width, at_least
    drafted = picture.draft(None, (height, width) if _turn(picture) in SIDEWAYS else (width, height))
    # Pillow gives the box that the picture fills before its sides are rounded up.
    return 1 if drafted is None else round(full_width / drafted[1][2])


def _decoded(picture: Image.Image, label: str) -> Photo:
    try:
        picture.load()
        upright = _upright(picture)
        image = np.ascontiguousarray(_to_rgb(upright))
    except Exception as cause:  # decoders meet damaged data with errors of any kind
        raise ImageError(f"{label}: damaged or cut short ({one_line(cause)}); get a whole copy") from cause
    return Photo(image, _exif_camera(picture, *upright.size))


def _turn(picture: Image.Image) -> int:
    """EXIF orientation, 1 for a picture that is stored as it should be seen."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data says nothing about the turn; the pixels are still good
        return 1


def _upright(picture: Image.Image) -> Image.Image:
    if _turn(picture) == 1:  # Pillow's own function would copy all pixels
        return picture
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # it also edits the EXIF data, which may be damaged behind the turn
        return picture


def _exif_camera(picture: Image.Image, width: int, height: int) -> Camera | None:
    """The camera of the upright photo. The 35 mm measure goes by the diagonal, which no turn changes."""
    try:
        details = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        focal_mm = float(details.get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
    except Exception:  # EXIF is written by thousands of programs; a damaged block means an unknown camera
        return None
    low_mm, high_mm = PLAUSIBLE_FOCAL_35MM
    return Camera.from_focal_35mm(width, height, focal_mm) if low_mm <= focal_mm <= high_mm else None


def _to_rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith(("I", "F")):
        return np.repeat(_deep_grey_to_8_bit(picture)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _deep_grey_to_8_bit(picture: Image.Image) -> NDArray[np.uint8]:
    """Modes I;16, I and F, which Pillow's own conversion would clip at 255.

    Whole numbers have the full scale 65535. Floats have no agreed scale: the smallest of 1, 255 and 65535
    that holds all values is taken. What exceeds 65535 is scaled by its own maximum.
    """
    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max())
    scales = (1.0, 255.0, 65535.0) if picture.mode.startswith("F") else (65535.0,)
    full_scale = next((scale for scale in scales if largest <= scale), largest)
    values *= 255.0 / full_scale
    return np.rint(values.clip(0.0, 255.0, out=values), out=values).astype(np.uint8)
