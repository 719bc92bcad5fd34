"""The raw numbers of one depth file, whatever wrote it: PNG, TIFF and other grey pictures, npy, npz, EXR.

Nothing is scaled and no mark for "no depth" is interpreted here; that is the reader's business.
"""

from __future__ import annotations

import io
import json
import zipfile
from os import PathLike
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from densedepth.errors import DataError, DenseDepthError
from densedepth.io import metadata
from densedepth.io.npz import read_array
from densedepth.io.opening import label_of, one_line, open_picture
from densedepth.types import Camera

DEPTH_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".npy", ".npz", ".exr", ".pgm", ".jpg", ".jpeg"})
"""Lower-case suffixes of files that can hold depth. JPEG can, too, but its values are not exact."""

_NPY, _ZIP, _EXR = b"\x93NUMPY", b"PK\x03\x04", b"\x76\x2f\x31\x01"
_ARRAY_NAMES = ("depth_m", "depth", "arr_0")


class DepthValues(NamedTuple):
    """What a depth file holds.

    Attributes:
        values: (H, W), the numbers as stored, with their own dtype.
        metres_per_unit: what the file itself says, which only those of this package do; else None.
        camera: of the photo, where the file says it.
    """

    values: np.ndarray
    metres_per_unit: float | None
    camera: Camera | None


def read_depth_values(source: str | PathLike[str] | bytes) -> DepthValues:
    """Read one depth file; its kind is told from its first bytes.

    Args:
        source: a path, or the bytes of a file.

    Returns:
        The numbers of a single-channel picture, of one whose three channels are equal, or of an array (H, W),
        (H, W, 1) or (1, H, W). Of an npz the array called depth_m or depth, or its only one.

    Raises:
        DataError: missing, damaged, pickled, in colour, not (H, W), or over 200 megapixels.
    """
    label = label_of(source)
    head = source[:8] if isinstance(source, bytes) else _head(Path(source))
    try:
        if head.startswith((_NPY, _ZIP)):
            with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
                read = _from_npy if head.startswith(_NPY) else _from_npz
                found = read(file)
        elif head.startswith(_EXR):
            found = DepthValues(_from_exr(source, label), None, None)
        else:
            found = _from_picture(source)
    except DenseDepthError as error:
        raise DataError(str(error) if str(error).startswith(label) else f"{label}: {error}") from None
    except Exception as error:  # decoders meet damaged data with errors of any kind
        raise DataError(f"{label}: damaged or not a depth file ({one_line(error)}); get a whole copy") from None
    values = found.values
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "uif":
        raise DataError(f"{label}: depth must be numbers of shape (H, W), this is {values.dtype} {values.shape}")
    return found._replace(values=values)


def _head(path: Path) -> bytes:
    """The first bytes, or none where the file cannot be opened: the picture reader says why."""
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError:
        return b""


def _from_picture(source: str | PathLike[str] | bytes) -> DepthValues:
    with open_picture(source, DataError) as picture:
        values = np.asarray(picture)
        # Chunks behind the pixels are only known after loading.
        texts = {str(key): str(text) for key, text in picture.info.items() if isinstance(text, str)}
        mode, description = picture.mode, str(getattr(picture, "tag_v2", {}).get(270, ""))
    if values.ndim == 3 and values.shape[2] == 3 and _all_equal(values):
        values = values[..., 0]
    elif mode not in ("L", "F") and not mode.startswith("I"):
        raise DataError(f"a picture of mode {mode}, but depth has one channel; is this a photo or coloured depth?")
    ours = {key.removeprefix("densedepth."): text for key, text in texts.items() if key.startswith("densedepth.")}
    if description.startswith("{"):
        ours = json.loads(description)
    scale = {"mm": 1e-3, "m": 1.0}.get(str(ours.get("unit")))
    return DepthValues(values, scale, metadata.from_text(ours)["camera"] if scale else None)


def _all_equal(values: np.ndarray) -> bool:
    return bool((values[..., 0] == values[..., 1]).all() and (values[..., 0] == values[..., 2]).all())


def _from_npy(file: IO[bytes]) -> DepthValues:
    return DepthValues(read_array(file), None, None)


def _from_npz(file: IO[bytes]) -> DepthValues:
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        name = next((name for name in _ARRAY_NAMES if name in names), names[0] if len(names) == 1 else None)
        if name is None:
            raise DataError(f"none of its arrays is called depth_m or depth; it has {', '.join(names[:8])}")
        with archive.open(f"{name}.npy") as member:
            found = _from_npy(member)
        if name != "depth_m" or "camera" not in names:
            return found
        with archive.open("camera.npy") as member:
            camera = metadata.from_text({"camera": str(read_array(member))})["camera"]
        return found._replace(camera=camera)


def _from_exr(source: str | PathLike[str] | bytes, label: str) -> np.ndarray:
    if isinstance(source, bytes):
        raise DataError("EXR is only read from a file of its own; unpack it first")
    try:
        import OpenEXR
    except ModuleNotFoundError:
        raise DataError("reading EXR needs OpenEXR: pip install densedepth[exr]") from None
    with OpenEXR.File(label, separate_channels=True) as file:
        channels = {name: np.asarray(channel.pixels) for name, channel in file.channels().items()}
    name = next((name for name in ("Z", "Y", "V", "depth", "R") if name in channels), next(iter(channels)))
    return channels[name]


def picture_header(path: str | PathLike[str]) -> tuple[str, tuple[int, int]] | None:
    """(mode, (width, height)) of a picture without decoding it; None for other kinds of file, or a damaged one."""
    try:
        with open_picture(path, DataError) as picture:
            return picture.mode, picture.size
    except DataError:
        return None


def is_deep(mode: str) -> bool:
    """Whether a picture of this Pillow mode has more than 8 bits: then it is depth, not a photo."""
    return mode.startswith(("I", "F"))
