"""From light to a photo: exposure, white balance, lens, sensor noise, tone curve and JPEG, each with its faults."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rng = np.random.Generator


def develop(light: NDArray[np.float32], rng: Rng) -> NDArray[np.uint8]:
    """A photo as a real camera might have taken it.

    Args:
        light: float32 (H, W, 3), linear RGB.
        rng: draws the faults.

    Returns:
        uint8 (H, W, 3).
    """
    height, width, _ = light.shape
    unit = width / 320
    dark = rng.random() < 0.07
    grey = light.mean(axis=2)
    metered = float(np.exp(np.log(np.minimum(grey, np.quantile(grey, 0.95)) + 1e-4).mean()))
    stops = rng.uniform(-2.4, -1.2) if dark else rng.normal(-0.15, 0.4)
    exposed = light * (0.2 / metered * 2**stops)
    exposed = exposed * _white_balance(light, rng)
    exposed = exposed * _vignette(height, width, rng.uniform(0, 0.35))[..., None]
    glare = rng.uniform(0.0, 0.04)
    exposed = (1 - glare) * exposed + glare * _blur(np.minimum(exposed, 6.0), 6 * unit)
    exposed = _blur(exposed, unit * rng.uniform(0.25, 0.6) if rng.random() < 0.8 else unit * rng.uniform(0.6, 1.2))
    if rng.random() < 0.12:
        exposed = _shaken(exposed, rng.uniform(1, 3.5) * unit, rng.uniform(0, math.pi))
    noise = rng.uniform(0.002, 0.02) * (2.5 if dark else 1.0)
    grain = rng.standard_normal(exposed.shape, dtype=np.float32)
    if rng.random() < 0.5:
        # Denoising and demosaicing leave noise soft.
        grain = _blur(grain, 0.7 * unit) * 1.8
    exposed = exposed + grain * noise * np.sqrt(np.maximum(exposed, 0) + 0.02) * 1.5
    photo = _tone(exposed, rng)
    if rng.random() < 0.35:
        photo = photo + rng.uniform(0.2, 0.7) * (photo - _blur(photo, unit))
    saturation = rng.uniform(0.8, 1.3)
    grey = photo.mean(axis=2, keepdims=True)
    photo = grey + (photo - grey) * saturation
    return _jpeg(np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8), int(rng.integers(70, 96)))


def _white_balance(light: NDArray[np.float32], rng: Rng) -> NDArray[np.floating]:
    """Gains that take out most of the light's colour, as cameras do, and miss a little."""
    mean = light.reshape(-1, 3).clip(0, np.quantile(light, 0.95)).mean(axis=0) + 1e-6
    neutral = mean.mean() / mean
    gains = neutral ** rng.uniform(0.3, 0.8) * np.exp(rng.normal(0, 0.03, 3))
    return np.asarray(gains / gains.mean())


def _vignette(height: int, width: int, strength: float) -> NDArray[np.floating]:
    y, x = np.mgrid[0:height, 0:width]
    radius2 = ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2
    return np.asarray(1 - strength * 2 * radius2)


def _tone(linear: NDArray[np.floating], rng: Rng) -> NDArray[np.floating]:
    """sRGB with a shoulder, and a contrast of the camera's own."""
    knee = rng.uniform(0.5, 0.9)
    over = np.maximum(linear - knee, 0)
    rolled = np.where(linear > knee, knee + (1 - knee) * (1 - np.exp(-over / (1 - knee) * 0.7)), linear)
    coded = np.maximum(rolled, 0) ** (1 / 2.2)
    contrast = rng.uniform(1.1, 1.65)
    return 0.47 + (coded - 0.47) * contrast + rng.normal(-0.01, 0.02)


def _blur(picture: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    """Gaussian, edges repeated."""
    radius = max(1, math.ceil(2.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(picture, pad, mode="edge").astype(np.float32)
        length = picture.shape[axis]
        picture = sum(
            weight * (padded[k : k + length] if axis == 0 else padded[:, k : k + length])
            for k, weight in enumerate(kernel)
        )
    return picture


def _shaken(picture: NDArray[np.floating], length_px: float, angle: float) -> NDArray[np.floating]:
    """Mean over a short straight path of the camera."""
    steps = max(2, math.ceil(length_px) + 1)
    total = np.zeros_like(picture)
    for t in np.linspace(-0.5, 0.5, steps):
        shift = (round(t * length_px * math.sin(angle)), round(t * length_px * math.cos(angle)))
        total += np.roll(picture, shift, axis=(0, 1)) if shift != (0, 0) else picture
    return total / steps


def _jpeg(photo: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as picture:
        return np.array(picture.convert("RGB"))
