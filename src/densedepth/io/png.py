"""16-bit PNG in millimetres, the depth format that every tool reads. 0 means "no depth".

Text chunks: `densedepth.unit` ("mm"), `densedepth.model`, `densedepth.camera` (JSON) and
`densedepth.camera_source`; those that are unknown are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from densedepth.errors import DepthFileError
from densedepth.io import metadata
from densedepth.io.opening import open_picture
from densedepth.io.units import MAX_MM, METRES_PER_MM, metres, millimetres
from densedepth.types import DepthMap

PREFIX = "densedepth."
_ROWS_AT_ONCE = 256


def write(depth: DepthMap, path: Path) -> None:
    """Round to the nearest millimetre and write.

    Raises:
        DepthFileError: a valid depth does not fit: over 65.535 m, or under half a millimetre.
    """
    units = np.empty(depth.depth_m.shape, np.uint16)
    # In strips: a big picture in float64 would take more memory than all else.
    for top in range(0, depth.height, _ROWS_AT_ONCE):
        strip = slice(top, top + _ROWS_AT_ONCE)
        depth_mm = millimetres(depth.depth_m[strip])
        if depth_mm.max() > MAX_MM:
            raise DepthFileError(
                f"a depth of {depth.depth_m.max():.3f} m does not fit a 16-bit PNG in millimetres, which ends at "
                "65.535 m; save as .npz or .tiff"
            )
        if np.any(depth.valid[strip] & (depth_mm == 0)):
            raise DepthFileError("a depth under 0.5 mm would be 0 (no depth) in a 16-bit PNG; save as .npz or .tiff")
        units[strip] = depth_mm
    info = PngInfo()
    for key, text in {"unit": "mm", **metadata.to_text(depth)}.items():
        info.add_text(PREFIX + key, text)
    # Level 3 is some 3 times faster than the default on depth and costs a few percent in size.
    Image.fromarray(units).save(path, "PNG", pnginfo=info, compress_level=3)


def read(path: Path, metres_per_unit: float | None) -> DepthMap:
    """Read a greyscale PNG as depth; see `densedepth.io.load_depth`."""
    with open_picture(path, DepthFileError) as picture:
        mode = picture.mode
        eight_bit_depth = mode == "L" and metres_per_unit is not None
        if not (mode.startswith("I") or eight_bit_depth):
            raise DepthFileError(
                f"{path}: 8-bit PNG of mode {mode}: a picture, or depth of unknown scale; if it is grey "
                "depth, say its scale, e.g. metres_per_unit=10/255 for the 8-bit NYU files"
            )
        # Chunks behind the pixels are only known after loading.
        units = np.asarray(picture)
        texts = {key: str(text) for key, text in picture.info.items() if isinstance(key, str)}
        ours = {key.removeprefix(PREFIX): text for key, text in texts.items() if key.startswith(PREFIX)}
    scale = METRES_PER_MM if metres_per_unit is None else metres_per_unit
    return DepthMap(metres(units, scale), **metadata.from_text(ours))
