"""NumPy archive, bit for bit: `depth_m`, `valid`, and as text `model`, `camera` (JSON), `camera_source`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from densedepth.errors import DepthFileError
from densedepth.io import metadata
from densedepth.types import DepthMap


def write(depth: DepthMap, path: Path) -> None:
    """Write compressed arrays and texts; unknown texts are left out."""
    texts = {key: np.array(text) for key, text in metadata.to_text(depth).items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, depth_m=depth.depth_m, valid=depth.valid, **texts)


def read(path: Path, metres_per_unit: float | None) -> DepthMap:
    """Read an archive; pickled objects are never loaded. See `densedepth.io.load_depth`."""
    with np.load(path, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile) or "depth_m" not in archive.files:
            raise DepthFileError(f"{path}: no array named depth_m in it; not a depth archive")
        texts = {key: str(archive[key]) for key in archive.files if archive[key].dtype.kind == "U"}
        depth_m = archive["depth_m"]
        if metres_per_unit is not None:
            depth_m = (depth_m * np.float64(metres_per_unit)).astype(np.float32)
        valid = archive["valid"] if "valid" in archive.files else np.isfinite(depth_m) & (depth_m > 0)
        return DepthMap(depth_m, valid, **metadata.from_text(texts))
