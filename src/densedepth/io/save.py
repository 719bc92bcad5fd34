"""Saving and loading depth by suffix. A new format is one file and one line in a table here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path

from densedepth.errors import DepthFileError
from densedepth.io import glb, npz, ply, png, tiff
from densedepth.io.opening import one_line
from densedepth.io.surface import GRAZING_DEG
from densedepth.io.write import replacing
from densedepth.types import DepthMap

Writer = Callable[..., None]

WRITERS: dict[str, Callable[[DepthMap, Path], None]] = {
    ".png": png.write,
    ".npz": npz.write,
    ".tiff": tiff.write,
    ".tif": tiff.write,
    ".ply": ply.write_points,
    ".glb": glb.write_mesh,
}

POINT_WRITERS = {".ply": ply.write_points, ".glb": glb.write_points}
MESH_WRITERS = {".ply": ply.write_mesh, ".glb": glb.write_mesh}

READERS: dict[str, Callable[[Path, float | None], DepthMap]] = {
    ".png": png.read,
    ".npz": npz.read,
    ".tiff": tiff.read,
    ".tif": tiff.read,
}


def save_depth(depth: DepthMap, path: str | PathLike[str], *, overwrite: bool = True) -> Path:
    """Write a depth map in the format that the suffix of `path` names; the file appears whole or not at all.

    `.png`: 16-bit millimetres. `.npz`, `.tiff`: float32 metres, lossless; `.npz` alone also keeps `uncertainty_m`.
    `.ply`: point cloud without flying pixels, see `save_points`. `.glb`: textured mesh, see `save_mesh`; `.ply` and
    `.glb` need `depth.camera`.

    Args:
        depth: what to write.
        path: where to; missing folders are made.
        overwrite: replace a file that exists.

    Returns:
        The path written.

    Raises:
        DepthFileError: unknown suffix, the depth does not fit the format, the file exists and `overwrite` is
            False, or it cannot be written.
    """
    path = Path(path)
    return _written(path, overwrite, partial(_writer(path, WRITERS, "depth"), depth))


def save_points(
    depth: DepthMap,
    path: str | PathLike[str],
    *,
    grazing_deg: float = GRAZING_DEG,
    normals: bool = False,
    overwrite: bool = True,
) -> Path:
    """Write the valid pixels as points with the photo's colours: `.ply` (camera axes) or `.glb` (glTF axes), metres.

    Args:
        depth: a map with a camera.
        path: where to.
        grazing_deg: how eagerly flying pixels are left out, see `densedepth.io.surface.flying_pixels`; 0 keeps all.
        normals: also the direction that each point's surface faces.
        overwrite: replace a file that exists.

    Returns:
        The path written.

    Raises:
        DepthFileError: no camera, no point (.glb; a .ply may be empty), another suffix, or the file exists or cannot be
            written.
    """
    path = Path(path)
    write = _writer(path, POINT_WRITERS, "point cloud")
    return _written(path, overwrite, partial(write, depth, grazing_deg=grazing_deg, with_normals=normals))


def save_mesh(
    depth: DepthMap,
    path: str | PathLike[str],
    *,
    grazing_deg: float = GRAZING_DEG,
    step: int | None = None,
    overwrite: bool = True,
) -> Path:
    """Write the visible surfaces as triangles: `.glb` (glTF axes) with the photo as texture, `.ply` (camera axes) with
    its colours at the corners; metres.

    Args:
        depth: a map with a camera.
        path: where to.
        grazing_deg: how eagerly the mesh is cut at depth edges, see `densedepth.io.surface.breaks`; 0 is the default.
        step: every step-th row and column; None takes the smallest that gives at most 500,000 vertices.
        overwrite: replace a file that exists.

    Returns:
        The path written.

    Raises:
        DepthFileError: no camera, no surface, another suffix, or the file exists or cannot be written.
    """
    path = Path(path)
    write = _writer(path, MESH_WRITERS, "mesh")
    return _written(path, overwrite, partial(write, depth, grazing_deg=grazing_deg, step=step))


def _writer(path: Path, writers: Mapping[str, Writer], kind: str) -> Writer:
    write = writers.get(path.suffix.lower())
    if write is None:
        raise DepthFileError(
            f"{path}: no {kind} format has the suffix '{path.suffix}'; use one of {', '.join(writers)}"
        )
    return write


def _written(path: Path, overwrite: bool, write: Callable[[Path], None]) -> Path:
    if not overwrite and path.exists():
        raise DepthFileError(f"{path}: exists already; choose another name or pass overwrite=True")
    try:
        with replacing(path) as temporary:
            write(temporary)
    except DepthFileError as cause:
        raise DepthFileError(f"{path}: {cause}") from cause
    except OSError as cause:
        raise DepthFileError(f"{path}: cannot be written ({one_line(cause)})") from cause
    return path


def load_depth(path: str | PathLike[str], *, metres_per_unit: float | None = None) -> DepthMap:
    """Read a depth map from `.png`, `.npz` or `.tiff`.

    Files of this package are read as they were written: `.npz` and `.tiff` bit for bit, `.png` within 0.5 mm. Of
    other origin, 16-bit PNG and TIFF are taken as millimetres and float TIFF as metres; values that are not
    finite and positive are not valid. The photo is not in these files, so `image` is None.

    Args:
        path: the file.
        metres_per_unit: metres per stored number, instead of what the file says or the format implies.

    Returns:
        The depth, with camera and model where the file says them.

    Raises:
        DepthFileError: missing, damaged, unknown suffix, or an 8-bit PNG without `metres_per_unit`.
    """
    path = Path(path)
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise DepthFileError(f"{path}: no depth format we read; use one of {', '.join(READERS)}")
    if not path.is_file():
        raise DepthFileError(f"{path}: no such file; check the name")
    try:
        return read(path, metres_per_unit)
    except DepthFileError:
        raise
    except Exception as cause:  # decoders meet damaged data with errors of any kind
        raise DepthFileError(f"{path}: damaged or not depth ({one_line(cause)}); get a whole copy") from cause
