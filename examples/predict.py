"""Photos to metres: python examples/predict.py [PHOTO ...] [--out FOLDER]

Without photos, those that come with the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import densedepth

PHOTOS = sorted((Path(densedepth.__file__).parent / "examples").glob("*.jpg"))

parser = argparse.ArgumentParser(description="Photos to metres.")
parser.add_argument("photos", nargs="*", type=Path, default=PHOTOS)
parser.add_argument("--out", type=Path, default=Path("out"))
arguments = parser.parse_args()

estimator = densedepth.load("nyu")
arguments.out.mkdir(parents=True, exist_ok=True)
for photo in arguments.photos:
    depth = estimator.predict(photo)
    near_m, far_m = depth.depth_m.min(), depth.depth_m.max()
    print(f"{photo.name}: {near_m:.2f} to {far_m:.2f} m, focal length {depth.camera_source}")
    depth.save(arguments.out / f"{photo.stem}.npz")  # float32 metres, with photo and camera
    depth.colorize().save(arguments.out / f"{photo.stem}.png")

# A saved map is the same map again.
again = densedepth.load_depth(arguments.out / f"{photo.stem}.npz")
print(f"read again: {again.width} x {again.height}, equal: {(again.depth_m == depth.depth_m).all()}")
