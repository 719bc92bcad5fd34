"""Small synthetic rooms for tests: floor, back wall and boxes, textured, with exact depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 144, 192
_FOCAL_PX, _HORIZON, _CAMERA_HEIGHT_M = 170.0, 50, 1.3


def room(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One room: (photo uint8 (144, 192, 3), depth float64 (144, 192) in metres)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wall_m = rng.uniform(4.0, 6.5)
    floor_m = _CAMERA_HEIGHT_M * _FOCAL_PX / np.maximum(rows - _HORIZON, 1e-6)
    depth_m = np.where(floor_m < wall_m, floor_m, wall_m)
    colours = np.where((floor_m < wall_m)[..., None], rng.uniform(40, 200, 3), rng.uniform(40, 200, 3))
    for near_m in sorted(rng.uniform(1.4, 4.0, 7), reverse=True):
        bottom = _HORIZON + _CAMERA_HEIGHT_M * _FOCAL_PX / near_m
        width, height = (rng.uniform(0.3, 1.1) * _FOCAL_PX / near_m for _ in range(2))
        left = rng.uniform(-0.1, 1.0) * WIDTH
        # A front that leans back, so that even boxes have slanted planes.
        front_m = near_m * (1 + 0.15 * (bottom - rows) / height)
        box = (rows < bottom) & (rows > bottom - height) & (columns > left) & (columns < left + width)
        box &= front_m < depth_m
        depth_m = np.where(box, front_m, depth_m)
        colours = np.where(box[..., None], rng.uniform(20, 235, 3), colours)
    noise = rng.normal(0, 1, (HEIGHT // 4, WIDTH // 4))
    texture = np.asarray(Image.fromarray(noise.astype(np.float32)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    photo = colours + 6 * texture[..., None] + rng.normal(0, 2, colours.shape)
    return photo.clip(0, 255).astype(np.uint8), depth_m


def millimetres(depth_m: np.ndarray) -> np.ndarray:
    """As most 16-bit files have it."""
    return np.round(depth_m * 1000).astype(np.uint16)


def save(array: np.ndarray, path: Path) -> Path:
    """Write a picture or an array; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


def write_rooms(root: Path, count: int = 12, per_scene: int = 4) -> list[tuple[Path, Path]]:
    """A clean folder: ``rgb/SCENE/NUMBER.png`` and ``depth/SCENE/NUMBER.png`` in millimetres.

    Returns:
        (photo, depth file) of each frame.
    """
    pairs = []
    for number in range(count):
        photo, depth_m = room(number)
        name = f"room_{chr(97 + number // per_scene)}/{number:04d}.png"
        pairs.append((save(photo, root / "rgb" / name), save(millimetres(depth_m), root / "depth" / name)))
    return pairs
