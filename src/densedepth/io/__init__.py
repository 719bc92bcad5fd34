"""Pictures in, depth out: reading photos, writing and reading depth maps, drawing them."""

from densedepth.io.color import colorize
from densedepth.io.images import IMAGE_SUFFIXES, ImageLike, Photo, read_image, read_photo
from densedepth.io.panel import side_by_side
from densedepth.io.save import WRITERS, load_depth, save_depth
from densedepth.io.write import replacing

__all__ = [
    "IMAGE_SUFFIXES",
    "WRITERS",
    "ImageLike",
    "Photo",
    "colorize",
    "load_depth",
    "read_image",
    "read_photo",
    "replacing",
    "save_depth",
    "side_by_side",
]
