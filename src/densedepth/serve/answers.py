"""The forms in which depth is sent back."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from densedepth.errors import DepthFileError
from densedepth.io import save_depth, save_mesh, save_points
from densedepth.types import DepthMap

DepthFormat = Literal["png16", "npz", "json", "color", "raw"]
PointsFormat = Literal["ply", "glb", "mesh"]

DEPTH_OFFERS: dict[str, DepthFormat] = {
    "image/png": "png16",
    "image/png; profile=color": "color",
    "image/jpeg": "color",
    "application/x-npz": "npz",
    "application/json": "json",
    "application/octet-stream": "raw",
}
"""Media type to format; where a client takes anything, the first."""

POINTS_OFFERS: dict[str, PointsFormat] = {
    "application/ply": "ply",
    "model/gltf-binary": "glb",
    "model/gltf-binary; profile=mesh": "mesh",
}

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
HISTOGRAM_BINS = 32
JPEG_QUALITY = 92


class CameraNumbers(BaseModel):
    """A pinhole camera; lengths in pixels of the answer."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int


class Histogram(BaseModel):
    """How many valid pixels lie between two neighbouring edges."""

    edges_m: list[float]
    counts: list[int]


class DepthSummary(BaseModel):
    """A depth map in numbers; metres, over the valid pixels. What is null has no valid pixel; the uncertainty, the
    expected error, also is where the model does not say it."""

    width: int
    height: int
    camera: CameraNumbers
    camera_source: Literal["given", "exif", "assumed"]
    model: str
    valid_fraction: float
    range_m: tuple[float, float] | None
    mean_m: float | None
    mean_uncertainty_m: float | None
    percentiles: dict[str, float] | None
    histogram: Histogram | None


def depth_headers(depth: DepthMap) -> dict[str, str]:
    """What every answer with depth says beside it."""
    assert depth.camera is not None
    return {
        "X-Depth-Width": str(depth.width),
        "X-Depth-Height": str(depth.height),
        "X-Depth-Focal-Px": f"{depth.camera.focal_px:.6g}",
        "X-Depth-Camera-Source": str(depth.camera_source),
        # Names of models are free text, headers are not.
        "X-Depth-Model": re.sub(r"[^\x20-\x7e]", "?", str(depth.model)),
        "X-Depth-Uncertainty": "0" if depth.uncertainty_m is None else "1",
    }


def summary(depth: DepthMap) -> DepthSummary:
    """A depth map in numbers."""
    values_m = depth.depth_m[depth.valid]
    some = values_m.size > 0
    assert depth.camera is not None
    return DepthSummary(
        width=depth.width,
        height=depth.height,
        camera=CameraNumbers(**depth.camera.to_dict()),  # type: ignore[arg-type]
        camera_source=depth.camera_source,  # type: ignore[arg-type]
        model=depth.model or "",
        valid_fraction=float(depth.valid.mean()),
        range_m=depth.range_m,
        mean_m=_mean(values_m) if some else None,
        mean_uncertainty_m=None if depth.uncertainty_m is None or not some else _mean(depth.uncertainty_m[depth.valid]),
        percentiles=_percentiles(values_m) if some else None,
        histogram=_histogram(values_m) if some else None,
    )


def _mean(values_m: NDArray[np.float32]) -> float:
    return float(values_m.mean(dtype=np.float64))


def _percentiles(values_m: NDArray[np.float32]) -> dict[str, float]:
    percentiles = np.percentile(values_m, PERCENTILES)
    return {str(percent): float(value_m) for percent, value_m in zip(PERCENTILES, percentiles, strict=True)}


def _histogram(values_m: NDArray[np.float32]) -> Histogram:
    counts, edges_m = np.histogram(values_m, HISTOGRAM_BINS)
    return Histogram(edges_m=edges_m.tolist(), counts=counts.tolist())


def encoded(depth: DepthMap, name: str, media: str, folder: Path) -> bytes:
    """A depth map in one of the forms of `DEPTH_OFFERS`.

    Raises:
        DepthFileError: the form cannot hold it.
    """
    if name == "raw":
        blocks = [depth.depth_m, depth.uncertainty_m]
        return b"".join(np.ascontiguousarray(block, "<f4").tobytes() for block in blocks if block is not None)
    if name == "json":
        return summary(depth).model_dump_json().encode()
    if name == "color":
        buffer = BytesIO()
        depth.colorize().save(buffer, "JPEG" if media == "image/jpeg" else "PNG", quality=JPEG_QUALITY)
        return buffer.getvalue()
    path = _fresh(folder, ".png" if name == "png16" else ".npz")
    with _unnamed(path):
        save_depth(depth, path)
    content = path.read_bytes()
    path.unlink()
    return content


def points_file(depth: DepthMap, name: str, flying_pixels: float, folder: Path) -> Path:
    """A new file in `folder` with points or a mesh; `flying_pixels` in degrees, see `densedepth.io.surface`.

    Raises:
        DepthFileError: nothing to write.
    """
    path = _fresh(folder, ".ply" if name == "ply" else ".glb")
    save = save_mesh if name == "mesh" else save_points
    with _unnamed(path):
        return save(depth, path, grazing_deg=flying_pixels)


def _fresh(folder: Path, suffix: str) -> Path:
    return folder / f"{secrets.token_hex(16)}{suffix}"


@contextmanager
def _unnamed(path: Path) -> Iterator[None]:
    """Errors do not say where the file would have been: that is nobody's business."""
    try:
        yield
    except DepthFileError as error:
        raise DepthFileError(str(error).removeprefix(f"{path}: ")) from error
