"""A photo as points and as a mesh: python examples/point_cloud.py [PHOTO] [--fov DEGREES] [--out FOLDER]

Sizes are right only if the field of view is; the photo that comes with the package has 63.3 degrees.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import densedepth
from densedepth.io import CameraChoice, read_photo, save_mesh, save_points

parser = argparse.ArgumentParser(description="A photo as points and as a mesh.")
parser.add_argument(
    "photo", nargs="?", type=Path, default=Path(densedepth.__file__).parent / "examples" / "kitchen.jpg"
)
parser.add_argument("--fov", type=float, default=63.3, help="horizontal field of view in degrees")
parser.add_argument("--out", type=Path, default=Path("out"))
arguments = parser.parse_args()

photo = read_photo(arguments.photo)
height, width = photo.image.shape[:2]
camera = CameraChoice(fov=arguments.fov).camera_for(width, height)
depth = densedepth.load("nyu").predict(photo, camera=camera)

# Between two surfaces the depth is blurred: points there would hang in the air.
clean = depth.without_flying_pixels()
xyz_m, _ = clean.points()  # x right, y down, z forward
low_m, high_m = np.percentile(xyz_m, [1, 99], axis=0)
print("width, height, depth of what is seen: " + ", ".join(f"{size:.2f} m" for size in high_m - low_m))

arguments.out.mkdir(parents=True, exist_ok=True)
name = arguments.out / arguments.photo.stem
print(f"written: {save_points(clean, name.with_suffix('.ply'), normals=True)}")
print(f"written: {save_mesh(depth, name.with_suffix('.glb'))}")
