"""What a depth file says about itself beside its pixels: model and camera, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypedDict

from densedepth.types import Camera, DepthMap


class Origin(TypedDict):
    """The fields of a `DepthMap` that are not arrays; keyword arguments of its constructor."""

    model: str | None
    camera: Camera | None
    camera_source: str | None


def to_text(depth: DepthMap) -> dict[str, str]:
    """`model`, `camera` (JSON: fx, fy, cx, cy, width, height) and `camera_source`, where known."""
    texts = {
        "model": depth.model,
        "camera": None if depth.camera is None else json.dumps(depth.camera.to_dict()),
        "camera_source": depth.camera_source,
    }
    return {key: text for key, text in texts.items() if text is not None}


def from_text(texts: Mapping[str, str]) -> Origin:
    """The inverse of `to_text`; other keys are ignored. Raises ValueError when the camera is not one."""
    camera = texts.get("camera")
    return {
        "model": texts.get("model"),
        "camera": None if camera is None else Camera.from_dict(json.loads(camera)),
        "camera_source": texts.get("camera_source"),
    }
