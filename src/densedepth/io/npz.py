"""NumPy archive, bit for bit: `depth_m`, `valid`, `uncertainty_m` where known, and as text `model`, `camera`
(JSON), `camera_source`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from densedepth.errors import DepthFileError
from densedepth.io import metadata
from densedepth.io.opening import MAX_MEGAPIXELS
from densedepth.io.units import metres
from densedepth.types import DepthMap


def write(depth: DepthMap, path: Path) -> None:
    """Write compressed arrays and texts; unknown texts are left out."""
    known = {key: np.array(text) for key, text in metadata.to_text(depth).items()}
    if depth.uncertainty_m is not None:
        known["uncertainty_m"] = depth.uncertainty_m
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, depth_m=depth.depth_m, valid=depth.valid, **known)


def read(path: Path, metres_per_unit: float | None) -> DepthMap:
    """Read an archive; pickled objects are never loaded. See `densedepth.io.load_depth`."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for name in ("depth_m", "valid", "uncertainty_m", *metadata.Origin.__annotations__):
            if f"{name}.npy" in names:
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = read_array(member)
    if "depth_m" not in arrays:
        raise DepthFileError(f"{path}: no array named depth_m in it; not a depth archive")
    texts = {name: str(array) for name, array in arrays.items() if array.dtype.kind == "U"}
    depth_m, uncertainty_m = arrays["depth_m"], arrays.get("uncertainty_m")
    if metres_per_unit is not None:
        depth_m = metres(depth_m, metres_per_unit)
        if uncertainty_m is not None:
            uncertainty_m = metres(uncertainty_m, metres_per_unit)
    valid = arrays["valid"] if "valid" in arrays else np.isfinite(depth_m) & (depth_m > 0)
    return DepthMap(depth_m, valid, uncertainty_m=uncertainty_m, **metadata.from_text(texts))


def read_array(file: IO[bytes]) -> NDArray[Any]:
    """One array in the .npy format. Its header is read first: a file of a few bytes can claim to hold terabytes.

    Raises:
        ValueError: damaged, pickled objects, more than 200 million numbers, or than 8 bytes for each of so many.
    """
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    millions = float(np.prod(shape, dtype=np.float64)) * max(1.0, dtype.itemsize / 8) / 1e6
    if not millions <= MAX_MEGAPIXELS:
        raise ValueError(f"{millions:.0f} million numbers are more than the limit of {MAX_MEGAPIXELS}")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
