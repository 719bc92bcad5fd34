"""glTF 2.0 in one binary file (.glb): a mesh with the photo as its texture, or points with the photo's colours.

Metres in glTF axes: x right, y up, z towards the viewer. `asset.extras` says which model, which camera and where that
comes from. Format: Khronos glTF 2.0 specification; the photo holds its own light, hence KHR_materials_unlit.
"""

from __future__ import annotations

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.errors import DepthFileError
from densedepth.io import metadata
from densedepth.io.color import colorize
from densedepth.io.mesh import make_mesh
from densedepth.io.surface import GRAZING_DEG, need_camera, normals, without_flying_pixels
from densedepth.types import DepthMap

MAX_TEXTURE_SIDE = 4096
"""What viewers on phones can hold."""

_TO_GLTF = np.array([1, -1, -1], np.float32)
_COMPONENT = {"float32": 5126, "uint32": 5125, "uint16": 5123}
_SHAPE = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_VERTICES, _INDICES = 34962, 34963
_POINTS, _TRIANGLES = 0, 4
_MAX_BYTES = 2**32 - 1  # the header counts in 32 bits


def write_mesh(depth: DepthMap, path: Path, *, grazing_deg: float = GRAZING_DEG, step: int | None = None) -> None:
    """Write the visible surfaces, see `make_mesh`. The texture is the photo, or the depth colours without one, at
    most 4096 pixels long."""
    mesh = make_mesh(depth, grazing_deg=grazing_deg, step=step)
    content = _Content(depth)
    attributes = {
        "POSITION": content.add(mesh.xyz_m * _TO_GLTF, limits=True),
        "NORMAL": content.add(mesh.normals * _TO_GLTF),
        "TEXCOORD_0": content.add(mesh.uv),
    }
    content.add_texture(_texture(depth))
    indices = content.add(mesh.faces.reshape(-1, 1), _INDICES)
    content.write(path, {"attributes": attributes, "indices": indices, "mode": _TRIANGLES, "material": 0})


def write_points(depth: DepthMap, path: Path, *, grazing_deg: float = GRAZING_DEG, with_normals: bool = False) -> None:
    """Write every valid pixel that does not fly as a point; colours come with the image.

    Raises:
        DepthFileError: the map has no camera, or no valid pixel.
    """
    need_camera(depth)
    depth = without_flying_pixels(depth, grazing_deg)
    if not depth.valid.any():
        raise DepthFileError("no pixel has a depth: there are no points to save")
    xyz_m, rgb = depth.points()
    content = _Content(depth)
    attributes = {"POSITION": content.add(np.multiply(xyz_m, _TO_GLTF, out=xyz_m), limits=True)}
    if with_normals:
        attributes["NORMAL"] = content.add(normals(depth)[depth.valid] * _TO_GLTF)
    if rgb is not None:
        attributes["COLOR_0"] = content.add(_linear(rgb))
    content.write(path, {"attributes": attributes, "mode": _POINTS})


class _Content:
    """The arrays of one file and the JSON that describes them."""

    def __init__(self, depth: DepthMap) -> None:
        asset = {"version": "2.0", "generator": "densedepth", "extras": metadata.to_text(depth)}
        self.gltf: dict[str, Any] = {"asset": asset, "accessors": [], "bufferViews": []}
        self._chunks: list[bytes | memoryview] = []
        self._size = 0

    def add(self, values: NDArray[Any], target: int = _VERTICES, limits: bool = False) -> int:
        """Add an array, one row a vertex; gives the number of its accessor."""
        values = np.ascontiguousarray(values)
        accessor: dict[str, Any] = {
            "bufferView": self._add_view(values, values.nbytes, target=target),
            "componentType": _COMPONENT[values.dtype.name],
            "count": len(values),
            "type": _SHAPE[values.shape[1]],
        }
        if values.dtype == np.uint16:
            accessor["normalized"] = True
        if limits:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.gltf["accessors"].append(accessor)
        return len(self.gltf["accessors"]) - 1

    def add_texture(self, picture: Image.Image) -> None:
        """Make material 0 of a picture."""
        data = BytesIO()
        picture.save(data, "JPEG", quality=95, subsampling=0)
        jpeg = data.getvalue()
        material = {
            "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0},
            "extensions": {"KHR_materials_unlit": {}},
            "doubleSided": True,
        }
        self.gltf |= {
            "extensionsUsed": ["KHR_materials_unlit"],
            "materials": [material],
            "textures": [{"source": 0, "sampler": 0}],
            # Linear, and no repetition at the borders of the photo.
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
            "images": [{"mimeType": "image/jpeg", "bufferView": self._add_view(jpeg, len(jpeg))}],
        }

    def write(self, path: Path, primitive: dict[str, Any]) -> None:
        """Write the file: header, JSON, arrays. Raises DepthFileError for more than 4 GB."""
        self.gltf |= {
            "buffers": [{"byteLength": self._size}],
            "meshes": [{"primitives": [primitive]}],
            "nodes": [{"mesh": 0}],
            "scenes": [{"nodes": [0]}],
            "scene": 0,
        }
        text = json.dumps(self.gltf, separators=(",", ":")).encode("ascii")
        text += b" " * (-len(text) % 4)
        length = 28 + len(text) + self._size
        if length > _MAX_BYTES:
            raise DepthFileError(f"{length / 1e9:.1f} GB are more than a .glb file can hold; save as .ply")
        with path.open("wb") as file:
            file.write(struct.pack("<4sII", b"glTF", 2, length))
            file.write(struct.pack("<I4s", len(text), b"JSON") + text)
            file.write(struct.pack("<I4s", self._size, b"BIN\0"))
            for chunk in self._chunks:
                file.write(chunk)

    def _add_view(self, data: bytes | NDArray[Any], size: int, **entries: int) -> int:
        view = {"buffer": 0, "byteOffset": self._size, "byteLength": size, **entries}
        self.gltf["bufferViews"].append(view)
        # All offsets are multiples of 4.
        self._chunks += [data if isinstance(data, bytes) else data.data, b"\0" * (-size % 4)]
        self._size += size + -size % 4
        return len(self.gltf["bufferViews"]) - 1


def _texture(depth: DepthMap) -> Image.Image:
    texture = colorize(depth) if depth.image is None else Image.fromarray(depth.image)
    texture.thumbnail((MAX_TEXTURE_SIDE, MAX_TEXTURE_SIDE))
    return texture


def _linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """sRGB to linear RGBA, as glTF has vertex colours. IEC 61966-2-1."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    rgba = np.full((len(rgb), 4), 65535, np.uint16)
    rgba[:, :3] = np.rint(linear * 65535).astype(np.uint16)[rgb]
    return rgba
