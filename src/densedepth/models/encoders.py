"""Encoders out of timm, all under one contract.

An encoder maps an image (N, 3, H, W), H and W multiples of 32, to five feature maps, shallow to deep:
(N, channels[i], H/r, W/r) for r = 2, 4, 8, 16, 32. ``channels`` states the five widths before any image is seen.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame  # type: ignore[attr-defined]
from timm.models.densenet import DenseBlock, DenseNet
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from densedepth.errors import DenseDepthError
from densedepth.models.imagenet import load_imagenet_weights

REDUCTIONS = (2, 4, 8, 16, 32)
STRIDE = REDUCTIONS[-1]

#: Layers of the four dense blocks. DenseNet-161 differs in growth, too, which timm knows by its name.
DENSENETS: dict[tuple[int, ...], str] = {
    (6, 12, 24, 16): "densenet121",
    (6, 12, 36, 24): "densenet161",
    (6, 12, 32, 32): "densenet169",
    (6, 12, 48, 32): "densenet201",
}


class Encoder(nn.Module):
    """The contract above. ``body`` is the timm module whose weights a checkpoint holds."""

    channels: tuple[int, ...]
    body: nn.Module

    def checkpoint_gradients(self) -> None:
        """From now on train with less memory and more time, the results being the same.

        Raises:
            DenseDepthError: this encoder cannot.
        """
        raise DenseDepthError("gradient checkpointing is for DenseNets: leave --engine.grad_checkpointing out")


class TimmEncoder(Encoder):
    """Any timm model that offers features at /2 .. /32 through ``features_only``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        body: Any = timm.create_model(name, pretrained=False, features_only=True)
        reductions = tuple(body.feature_info.reduction())
        if reductions != REDUCTIONS:
            raise DenseDepthError(
                f"encoder '{name}' gives features at strides {reductions}; the decoder needs {REDUCTIONS}: "
                "choose a convolutional encoder such as tf_efficientnet_lite2, resnet50 or densenet169"
            )
        self.channels = tuple(body.feature_info.channels())
        _make_same_padding_static(body)
        self.body = body

    def forward(self, image: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.body(image)
        return features


class StaticSameConv2d(nn.Conv2d):
    """TensorFlow's 'same' padding for inputs whose sides are multiples of the stride: the padding is then a constant.

    timm's Conv2dSame works it out from each input's size, which makes exporting with free sizes take minutes.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Take over the parameters of ``conv``."""
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=conv.bias is not None,
        )
        self.weight, self.bias = conv.weight, conv.bias
        geometry = zip(self.kernel_size, self.dilation, self.stride, strict=True)
        height, width = (max((k - 1) * d + 1 - s, 0) for k, d, s in geometry)
        self.margins = (width // 2, width - width // 2, height // 2, height - height // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.margins))


class DenseNetEncoder(Encoder):
    """DenseNet with the five taps of the paper, taken out of timm's own module.

    conv1/relu, pool1, pool2_pool and pool3_pool of the Keras program are norm0 (+ReLU), pool0, transition1 and
    transition2 here; the bottleneck is norm5 **with** its ReLU, 1664 channels wide for DenseNet-169. timm's
    ``features_only`` taps lie before the transitions and are not the paper's.
    """

    TAPS = ("norm0", "pool0", "transition1", "transition2", "norm5")

    def __init__(self, name: str) -> None:
        super().__init__()
        blocks = _spelled_blocks(name)
        classifier: Any = DenseNet(block_config=blocks) if blocks else timm.create_model(name, pretrained=False)
        body = classifier.features
        stem = body.norm0.num_features
        transitions = (body.transition1.conv.out_channels, body.transition2.conv.out_channels)
        self.channels = (stem, stem, *transitions, body.norm5.num_features)
        self.body = body
        self._recomputes = False

    def checkpoint_gradients(self) -> None:
        self._recomputes = True

    def forward(self, image: Tensor) -> list[Tensor]:
        taps = []
        x = image
        recomputes = self._recomputes and self.training and torch.is_grad_enabled()
        for name, module in self.body.named_children():
            x = _recomputed_block(module, x) if recomputes and isinstance(module, DenseBlock) else module(x)
            if name in self.TAPS:
                taps.append(x)
        return taps


def _recomputed_block(block: DenseBlock, x: Tensor) -> Tensor:
    """A dense block that keeps the features of its layers and nothing inside them."""
    features = [x]
    for layer in block.values():
        new = checkpoint(layer, features, use_reentrant=False, context_fn=partial(_first_and_second_time, layer))
        features = [*features, new]
    return torch.cat(features, 1)


def _first_and_second_time(layer: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_stand_still(layer)


@contextmanager
def _statistics_stand_still(layer: nn.Module) -> Iterator[None]:
    """BatchNorms have seen this batch already when a layer is worked out again."""
    norms = [module for module in layer.modules() if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.sub_(1)


def build_encoder(name: str, *, pretrained: bool) -> Encoder:
    """Make the encoder ``name``, with ImageNet weights when ``pretrained``.

    Without ``pretrained`` nothing goes to the network: names such as ``hf-hub:...``, with which timm fetches
    architectures, are unknown here.

    Args:
        name: any timm model name, or ``densenet(2,2,2,2)``: a DenseNet with so many layers in its dense blocks, and
            DenseNet-121's growth of 32 (there are no ImageNet weights for such).
        pretrained: see :func:`load_imagenet_weights`; False leaves the weights random.

    Returns:
        The encoder, in training mode.

    Raises:
        DenseDepthError: the name is unknown, or the model has no features at /2 .. /32.
        WeightsUnavailableError: the weights cannot be had.
    """
    if not timm.is_model(name) and not _spelled_blocks(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise DenseDepthError(f"timm knows no encoder '{name}'{hint}")
    encoder = DenseNetEncoder(name) if is_densenet(name) else TimmEncoder(name)
    if pretrained:
        load_imagenet_weights(encoder.body, name)
    return encoder


def is_densenet(name: str) -> bool:
    """Whether ``name`` gets the taps and the BatchNorm constants of the authors' program."""
    return name.startswith("densenet")


def densenet_name(blocks: tuple[int, ...]) -> str:
    """The encoder with so many layers in its dense blocks: ``densenet169``, or ``densenet(2,2,2,2)`` spelled out."""
    return DENSENETS.get(blocks, f"densenet({','.join(map(str, blocks))})")


def _spelled_blocks(name: str) -> tuple[int, ...] | None:
    """(2, 2, 2, 2) of ``densenet(2,2,2,2)``, each at most 99; None for a name of timm's."""
    match = re.fullmatch(r"densenet\(([1-9]\d?(?:,[1-9]\d?){3})\)", name)
    return tuple(int(length) for length in match[1].split(",")) if match else None


def _make_same_padding_static(body: nn.Module) -> None:
    for parent in body.modules():
        for name, conv in parent.named_children():
            if isinstance(conv, Conv2dSame):
                setattr(parent, name, StaticSameConv2d(conv))
