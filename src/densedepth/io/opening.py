"""Opening a picture with Pillow under our own limits, before a single pixel is decoded."""

from __future__ import annotations

import threading
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import IO

from PIL import Image

from densedepth.errors import DenseDepthError, ImageError

MAX_MEGAPIXELS = 200

Source = str | PathLike[str] | bytes | IO[bytes]

# Raster formats only: Pillow would hand PostScript to an interpreter.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_limit_lock = threading.Lock()


def label_of(source: object) -> str:
    """What error messages call a source: its path where it has one."""
    if isinstance(source, str | PathLike):
        return str(fspath(source))
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    return str(getattr(source, "name", None) or f"<{type(source).__name__}>")


def one_line(error: BaseException) -> str:
    """The error's text on a single line, or its type's name when it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """What a library's many lines begin with, or the error's type when it has no text."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def open_picture(source: Source, error: type[DenseDepthError] = ImageError) -> Image.Image:
    """Open a picture and check its size; pixels are decoded later, by the caller.

    Raises:
        error: missing, a folder, empty, not a picture, or more than 200 megapixels. One line naming the file.
    """
    label = label_of(source)
    data = _readable(source, label, error)
    try:
        # Pillow's own limit is one global number below ours, so it steps aside while we open; ours follows.
        with _limit_lock:
            pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                Image.init()
                _register_heif(data, label, error)
                picture = Image.open(data, formats=[name for name in _FORMATS if name in Image.OPEN])
            finally:
                Image.MAX_IMAGE_PIXELS = pillow_limit
    except DenseDepthError:
        raise
    except Exception as cause:  # decoders meet hostile headers with errors of any kind
        raise error(f"{label}: not a picture we can read; give a JPEG, PNG, WebP or TIFF") from cause
    megapixels = picture.width * picture.height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        picture.close()
        raise error(
            f"{label}: {picture.width} x {picture.height} is {megapixels:.0f} megapixels, "
            f"more than the limit of {MAX_MEGAPIXELS}; make it smaller first"
        )
    return picture


def _readable(source: Source, label: str, error: type[DenseDepthError]) -> Path | IO[bytes]:
    """Something Pillow can open and we can peek into, known to be there and not empty."""
    if isinstance(source, bytes):
        if not source:
            raise error(f"{label}: empty; give the bytes of a whole file")
        return BytesIO(source)
    if not isinstance(source, str | PathLike):
        return source
    path = Path(source)
    try:
        if path.is_dir():
            raise error(f"{label}: a folder, not a file; name a file in it")
        with path.open("rb") as file:
            if not file.read(1):
                raise error(f"{label}: the file is empty; copy it again from where it came")
    except FileNotFoundError as cause:
        raise error(f"{label}: no such file; check the name") from cause
    except (OSError, ValueError) as cause:
        raise error(f"{label}: cannot be opened ({one_line(cause)}); check its permissions") from cause
    return path


def _register_heif(data: Path | IO[bytes], label: str, error: type[DenseDepthError]) -> None:
    """Teach Pillow HEIC when the file is one; say what to install when that is not possible."""
    if isinstance(data, Path):
        with data.open("rb") as file:
            head = file.read(12)
    else:
        head = data.read(12)
        data.seek(-len(head), 1)
    if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS:
        return
    try:
        import pi_heif
    except ModuleNotFoundError as cause:
        raise error(f"{label}: reading HEIC needs an extra: pip install densedepth[heic]") from cause
    pi_heif.register_heif_opener()
