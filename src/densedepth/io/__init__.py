"""Pictures in, depth out: reading photos, writing and reading depth maps, drawing them."""

from densedepth.io.cameras import CAMERA_NAMES, CameraChoice
from densedepth.io.color import colorize
from densedepth.io.images import IMAGE_SUFFIXES, ImageLike, Photo, read_image, read_photo
from densedepth.io.mesh import Mesh
from densedepth.io.panel import side_by_side
from densedepth.io.save import WRITERS, load_depth, save_depth, save_mesh, save_points
from densedepth.io.write import replacing

__all__ = [
    "CAMERA_NAMES",
    "IMAGE_SUFFIXES",
    "WRITERS",
    "CameraChoice",
    "ImageLike",
    "Mesh",
    "Photo",
    "colorize",
    "load_depth",
    "read_image",
    "read_photo",
    "replacing",
    "save_depth",
    "save_mesh",
    "save_points",
    "side_by_side",
]
