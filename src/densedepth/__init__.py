"""Monocular depth estimation by transfer learning: one photo in, a dense depth map in metres out.

Nothing heavy is imported until it is used, so that ``import densedepth`` stays fast and never needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densedepth.errors import DenseDepthError
    from densedepth.io import load_depth, read_image
    from densedepth.runtime import DepthEstimator, load
    from densedepth.types import Camera, DepthMap

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "DenseDepthError",
    "DepthEstimator",
    "DepthMap",
    "__version__",
    "load",
    "load_depth",
    "read_image",
]

_HOME_OF = {
    "Camera": "densedepth.types",
    "DenseDepthError": "densedepth.errors",
    "DepthEstimator": "densedepth.runtime",
    "DepthMap": "densedepth.types",
    "load": "densedepth.runtime",
    "load_depth": "densedepth.io",
    "read_image": "densedepth.io",
}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'densedepth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
