"""The decoder of the paper: a 1x1 convolution, four up-sampling blocks with skips, a 3x3 convolution to one channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densedepth.errors import DenseDepthError


class UpBlock(nn.Module):
    """x2 bilinear, concatenate [up-sampled, skip], convA 3x3, convB 3x3, LeakyReLU 0.2."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        *,
        inner_activation: bool,
        align_corners: bool,
    ) -> None:
        super().__init__()
        self.convA = nn.Conv2d(in_channels + skip_channels, out_channels, 3, padding=1)
        self.convB = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.inner_activation = inner_activation
        self.align_corners = align_corners

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.align_corners)
        y = self.convA(torch.cat([up, skip], dim=1))
        if self.inner_activation:
            y = F.leaky_relu(y, 0.2)
        return F.leaky_relu(self.convB(y), 0.2)


class Decoder(nn.Module):
    """Five feature maps at /2 .. /32 to one map at /2.

    Args:
        encoder_channels: widths of the five features, shallow to deep.
        width: channels after conv2; up-block k has width / 2^k. The paper keeps the encoder's own (1664 for
            DenseNet-169); the authors' later program halves it.
        inner_activation: LeakyReLU after convA too.
        align_corners: of the bilinear up-sampling.
        uncertainty: a second map beside the first, from the same last features. It learns from them and teaches them
            nothing: the first map is what it would be without it.

    Raises:
        DenseDepthError: a width that four halvings do not divide.
    """

    def __init__(
        self,
        encoder_channels: Sequence[int],
        width: int,
        *,
        inner_activation: bool,
        align_corners: bool,
        uncertainty: bool = False,
    ) -> None:
        super().__init__()
        if width < 16 or width % 16:
            raise DenseDepthError(f"decoder width must be a positive multiple of 16, got {width}")
        *skips, bottleneck = encoder_channels
        self.conv2 = nn.Conv2d(bottleneck, width, 1)
        switches = {"inner_activation": inner_activation, "align_corners": align_corners}
        for k, skip_channels in enumerate(reversed(skips), start=1):
            block = UpBlock(width >> (k - 1), skip_channels, width >> k, **switches)
            self.add_module(f"up{k}", block)
        last = width >> len(skips)
        self.conv3 = nn.Conv2d(last, 1, 3, padding=1)
        self.uncertainty = (
            nn.Sequential(
                nn.Conv2d(last, 2 * last, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(2 * last, 1, 3, padding=1)
            )
            if uncertainty
            else None
        )
        self.apply(_glorot_uniform)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features, shallow to deep, to (N, 1, H, W), or (N, 2, H, W) with ``uncertainty``."""
        *skips, bottleneck = features
        x = self.conv2(bottleneck)
        for k, skip in enumerate(reversed(skips), start=1):
            x = self.get_submodule(f"up{k}")(x, skip)
        # In half precision the answer itself would be rounded to steps of 0.4 %, as coarse as what it learns.
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._answers(x.float())
        return self._answers(x)

    def _answers(self, x: Tensor) -> Tensor:
        first: Tensor = self.conv3(x)
        return first if self.uncertainty is None else torch.cat([first, self.uncertainty(x.detach())], dim=1)


def _glorot_uniform(module: nn.Module) -> None:
    """Keras' default initialisation, which the published training starts from; torch's own default differs."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
