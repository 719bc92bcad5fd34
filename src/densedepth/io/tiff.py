"""Float32 TIFF in metres, bit for bit; 0.0 means "no depth".

The ImageDescription tag holds a JSON object: `unit` ("m"), `model`, `camera` (JSON text) and `camera_source`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

from densedepth.errors import DepthFileError
from densedepth.io import metadata
from densedepth.io.opening import open_picture
from densedepth.io.units import METRES_PER_MM, metres
from densedepth.types import DepthMap


def write(depth: DepthMap, path: Path) -> None:
    """Write losslessly compressed floats."""
    description = json.dumps({"unit": "m", **metadata.to_text(depth)})
    picture = Image.fromarray(depth.depth_m)
    picture.save(path, "TIFF", compression="tiff_adobe_deflate", description=description)


def read(path: Path, metres_per_unit: float | None) -> DepthMap:
    """Read a float TIFF as metres, a 16-bit one as millimetres; see `densedepth.io.load_depth`."""
    with open_picture(path, DepthFileError) as picture:
        mode = picture.mode
        if not mode.startswith(("F", "I")):
            raise DepthFileError(f"{path}: a TIFF of mode {mode} is a picture; depth is one channel of floats")
        values = np.asarray(picture)
        tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
        texts = _description(str(tags.get(TiffImagePlugin.IMAGEDESCRIPTION, "")))
    if metres_per_unit is None:
        metres_per_unit = 1.0 if mode.startswith("F") else METRES_PER_MM
    return DepthMap(metres(values, metres_per_unit), **metadata.from_text(texts))


def _description(text: str) -> dict[str, str]:
    """Our JSON object, or nothing: other programs write free text there."""
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) and "unit" in values else {}
