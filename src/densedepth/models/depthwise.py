"""Depthwise convolutions that learn quickly on a CPU in bfloat16.

oneDNN has a fast forward, and fast gradients of 3x3 kernels at stride 1; those of other kernels and strides take ten
times as long and more. Here the others are worked out by the fast ones: a stride becomes zeros between the gradients,
and a 5x5 kernel four overlapping 3x3 ones.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_gradients = torch.ops.aten.convolution_backward


class QuickDepthwiseConv2d(nn.Conv2d):
    """A depthwise 3x3 or 5x5 convolution; the same numbers as ``nn.Conv2d`` up to the order of sums."""

    def __init__(self, conv: nn.Conv2d) -> None:
        """Take over the parameters of ``conv``, which :func:`suits`."""
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=False,
        )
        self.weight = conv.weight
        vertical, horizontal = (int(side) for side in conv.padding)
        # A convolution that pads by a constant of its own, as TensorFlow does, says so by ``margins``.
        self.margins: tuple[int, ...] = getattr(conv, "margins", (horizontal, horizontal, vertical, vertical))

    def forward(self, x: Tensor) -> Tensor:
        x, weight = F.pad(x, self.margins), self.weight
        if not (self.training and torch.is_autocast_enabled("cpu")):
            return F.conv2d(x, weight, None, self.stride, groups=self.groups)
        dtype = torch.get_autocast_dtype("cpu")
        result: Tensor = _Depthwise.apply(
            x.to(dtype, memory_format=torch.channels_last), weight.to(dtype), self.stride[0]
        )
        return result


class _Depthwise(torch.autograd.Function):
    """``conv2d(x, weight, stride=stride, groups=channels)`` of an ``x`` that is padded already."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        channels, _, size, _ = weight.shape
        height, width = x.shape[2] - size + 1, x.shape[3] - size + 1
        dense = gradient.contiguous(memory_format=torch.channels_last)
        if ctx.stride != 1:
            shape = (len(x), channels, height, width)
            dense = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last).zero_()
            dense[:, :, :: ctx.stride, :: ctx.stride] = gradient
        of_x = F.conv2d(dense, weight.flip(2, 3), padding=size - 1, groups=channels)
        of_weight = torch.empty_like(weight)
        three = weight[:, :, :3, :3].contiguous()
        for row in range(0, size - 1, 2):
            for column in range(0, size - 1, 2):
                part = x[:, :, row : row + height + 2, column : column + width + 2]
                part = part.contiguous(memory_format=torch.channels_last)
                _, block, _ = _gradients(
                    dense, part, three, None, [1, 1], [0, 0], [1, 1], False, [0, 0], channels, [False, True, False]
                )
                of_weight[:, :, row : row + 3, column : column + 3] = block
        return of_x, of_weight, None


def suits(conv: nn.Module) -> bool:
    """Whether ``conv`` is one that oneDNN is slow at."""
    if not isinstance(conv, nn.Conv2d) or isinstance(conv, QuickDepthwiseConv2d) or conv.bias is not None:
        return False
    depthwise = 1 < conv.groups == conv.in_channels == conv.out_channels
    geometry = (conv.kernel_size, conv.stride)
    slow = geometry in (((3, 3), (2, 2)), ((5, 5), (1, 1)), ((5, 5), (2, 2)))
    plain = conv.dilation == (1, 1) and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return depthwise and slow and plain


def quicken_depthwise(net: nn.Module) -> None:
    """Put :class:`QuickDepthwiseConv2d` in place of every convolution that :func:`suits`. Names and weights stay."""
    for parent in net.modules():
        for name, conv in parent.named_children():
            if suits(conv):
                assert isinstance(conv, nn.Conv2d)
                setattr(parent, name, QuickDepthwiseConv2d(conv))
