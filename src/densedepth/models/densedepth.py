"""DenseDepth: encoder and decoder, RGB in, reciprocal depth out (arXiv 1812.11941)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densedepth.errors import DenseDepthError
from densedepth.models.decoder import Decoder
from densedepth.models.encoders import STRIDE, build_encoder, is_densenet
from densedepth.models.imagenet import imagenet_normalisation

Preset = Literal["paper", "half"]

#: Two networks share the name: the released weights, and the authors' later default.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"width_factor": 1.0, "inner_activation": False, "align_corners": True},
    "half": {"width_factor": 0.5, "inner_activation": True, "align_corners": False},
}


#: From a thousandth to the whole of the depth.
LOG_ERROR_RANGE = (math.log(1e-3), 0.0)


@dataclass(frozen=True)
class Architecture:
    """Everything that fixes the network's function besides its weights; every checkpoint records it."""

    encoder: str
    decoder_width: int
    inner_activation: bool
    align_corners: bool
    normalize: bool
    output: Literal["linear", "exp"]
    reciprocal_m: float
    depth_range_m: tuple[float, float]
    uncertainty: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class DenseDepth(nn.Module):
    """Encoder-decoder network of the paper over any timm encoder.

    Args:
        encoder: timm model name, or ``densenet(2,2,2,2)`` with other layer counts. DenseNets get the taps and the
            BatchNorm constants of the authors' program.
        preset: "paper" (the released weights: decoder as wide as the bottleneck, no inner activation,
            align_corners) or "half" (the authors' later default). The next three override it one by one.
        decoder_width: channels after conv2, a multiple of 16.
        inner_activation: LeakyReLU after each convA.
        align_corners: of the decoder's up-sampling.
        normalize: apply the mean and standard deviation that the encoder's ImageNet weights expect. The authors'
            program does not, so it is off by default for DenseNets and on for all others.
        output: "linear" as in the paper, or "exp", which keeps the reciprocal depth positive so that losses on
            log depth are defined everywhere.
        reciprocal_m: m of y = m / depth_m. The paper's 1000 cm / d for NYU is 10.0 here; KITTI 80.0.
        depth_range_m: metres are clipped to this range by :meth:`depth_m`.
        uncertainty: also learn how far off the depth is likely to be, at no cost to the depth itself.
        pretrained: start from the encoder's ImageNet weights.

    Raises:
        DenseDepthError: a value that makes no network, an unknown encoder, or ImageNet weights that cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: str = "densenet169",
        preset: Preset = "half",
        *,
        decoder_width: int | None = None,
        inner_activation: bool | None = None,
        align_corners: bool | None = None,
        normalize: bool | None = None,
        output: Literal["linear", "exp"] = "linear",
        reciprocal_m: float = 10.0,
        depth_range_m: tuple[float, float] = (0.1, 10.0),
        uncertainty: bool = False,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise DenseDepthError(f"preset must be one of {', '.join(PRESETS)}, got '{preset}'")
        if output not in ("linear", "exp"):
            raise DenseDepthError(f"output must be 'linear' or 'exp', got '{output}'")
        if not (0 < depth_range_m[0] < depth_range_m[1] < math.inf and 0 < reciprocal_m < math.inf):
            raise DenseDepthError(
                f"depth range {depth_range_m} and reciprocal_m {reciprocal_m} must be positive, the nearer end first"
            )
        defaults = PRESETS[preset]
        densenet = is_densenet(encoder)
        self.encoder = build_encoder(encoder, pretrained=pretrained)
        if decoder_width is None:
            decoder_width = int(self.encoder.channels[-1] * defaults["width_factor"]) // 16 * 16
        self.architecture = Architecture(
            encoder=encoder,
            decoder_width=decoder_width,
            inner_activation=defaults["inner_activation"] if inner_activation is None else inner_activation,
            align_corners=defaults["align_corners"] if align_corners is None else align_corners,
            normalize=(not densenet) if normalize is None else normalize,
            output=output,
            reciprocal_m=float(reciprocal_m),
            depth_range_m=(float(depth_range_m[0]), float(depth_range_m[1])),
            uncertainty=uncertainty,
        )
        arch = self.architecture
        self.decoder = Decoder(
            self.encoder.channels,
            arch.decoder_width,
            inner_activation=arch.inner_activation,
            align_corners=arch.align_corners,
            uncertainty=uncertainty,
        )
        if output == "exp":
            # Start at a mid-range depth instead of exp(0) = 1, which would be the far end of the range.
            near_m, far_m = arch.depth_range_m
            _start_near(self.decoder.conv3, math.log(arch.reciprocal_m) - math.log(near_m * far_m) / 2)
        if self.decoder.uncertainty is not None:
            # Start at 15 % everywhere, far from the ends of the range, where nothing would be learned.
            _start_near(self.decoder.uncertainty[-1], math.log(0.15))
        if densenet:
            _use_keras_batchnorm(self.encoder)
        mean, std = imagenet_normalisation(encoder) if arch.normalize else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_architecture(cls, architecture: Architecture | dict[str, Any]) -> DenseDepth:
        """The network a checkpoint describes, with random weights; for a file of others see :func:`weight_shapes`.

        Args:
            architecture: as `Architecture.to_dict` gives it, or as it is in ``net.architecture``.

        Raises:
            DenseDepthError: see the class.
            TypeError: a switch is missing, unknown, or of another type.
        """
        # Through the dataclass: a file must not ask for anything else, such as weights from a hub.
        switches = Architecture(**architecture) if isinstance(architecture, dict) else architecture
        return cls(**switches.to_dict())

    def forward(self, rgb01: Tensor) -> Tensor:
        """Reciprocal depth y = reciprocal_m / depth_m.

        Args:
            rgb01: (N, 3, H, W), RGB in 0..1. Any size in eval mode: it is padded to multiples of 32 by repeating
                the border and the result is cropped back. Training asks for multiples of 32.

        Returns:
            (N, 1, ceil(H/2), ceil(W/2)).
        """
        return self.answers(rgb01)[:, :1]

    def answers(self, rgb01: Tensor) -> Tensor:
        """As :meth:`forward`; with ``uncertainty`` a second channel, the logarithm of the relative error to expect.

        What is expected is the mean of |log(predicted depth / true depth)|. To the second channel the depth is a given:
        its gradient ends there.
        """
        height, width = rgb01.shape[-2:]
        if self.training:
            if height % STRIDE or width % STRIDE:
                raise DenseDepthError(
                    f"training images must have height and width divisible by {STRIDE}, got {height}x{width}: "
                    f"resize or crop to {_nearest(height)}x{_nearest(width)}"
                )
            return self._answers(rgb01)
        padded = _pad_to_stride(rgb01)
        return self._answers(padded)[..., : (height + 1) // 2, : (width + 1) // 2]

    def depth_m(self, rgb01: Tensor) -> Tensor:
        """Depth in metres at the input's own size, clipped to ``depth_range_m``: (N, 3, H, W) -> (N, H, W).

        The half-size output is turned into metres first and up-sampled x2 bilinearly after, as the authors'
        evaluation does.
        """
        return self.depth_and_uncertainty_m(rgb01)[:, 0]

    def depth_and_uncertainty_m(self, rgb01: Tensor) -> Tensor:
        """:meth:`depth_m`, and with ``uncertainty`` the absolute error to expect in metres: (N, 1 or 2, H, W)."""
        height, width = rgb01.shape[-2:]
        answers = self._answers(_pad_to_stride(rgb01))
        metres = self.to_metres(answers[:, :1])
        if self.architecture.uncertainty:
            metres = torch.cat([metres, metres * answers[:, 1:].exp()], dim=1)
        metres = F.interpolate(metres, scale_factor=2.0, mode="bilinear", align_corners=False)
        return metres[:, :, :height, :width]

    def to_metres(self, reciprocal: Tensor) -> Tensor:
        """reciprocal_m / y, clipped to the depth range; y <= 0, which has no depth, becomes the far end."""
        near_m, far_m = self.architecture.depth_range_m
        m = self.architecture.reciprocal_m
        return m / reciprocal.clamp(min=m / far_m, max=m / near_m)

    def to_reciprocal(self, depth_m: Tensor) -> Tensor:
        """The training target y = reciprocal_m / depth_m, depth clipped to the range first."""
        return self.architecture.reciprocal_m / depth_m.clamp(*self.architecture.depth_range_m)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Export the network as a bundle and publish it on the Hugging Face hub, with a model card and its SHA-256.

        Everybody then has it as ``densedepth.load("hf:user/repo")``, without torch. The token is HF_TOKEN.

        Args:
            repo_id: ``user/repo``; it is made if it is not there.
            options: for the card ``info`` (what :func:`~densedepth.models.load_checkpoint` returns beside the network:
                training data, camera), ``name``, ``license`` and ``metrics``; ``private``; the commit's ``message``.

        Returns:
            Address of the commit.

        Raises:
            DenseDepthError: the export differs from torch, no token, no rights, or no network.
        """
        from densedepth.models.publishing import push_to_hub

        return push_to_hub(self, repo_id, **options)

    def _answers(self, rgb01: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.encoder((rgb01 - self.mean) / self.std))
        first, second = y[:, :1], y[:, 1:]
        if self.architecture.output == "exp":
            first = first.exp()
        return torch.cat([first, second.clamp(*LOG_ERROR_RANGE)], dim=1) if self.architecture.uncertainty else first


def weight_shapes(architecture: Architecture | dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a network, without its memory: a file may describe one of any size.

    Args:
        architecture: see :meth:`DenseDepth.from_architecture`, which says what is raised, too.
    """
    with torch.device("meta"):
        net = DenseDepth.from_architecture(architecture)
    return {name: tuple(weight.shape) for name, weight in net.state_dict().items()}


def _pad_to_stride(image: Tensor) -> Tensor:
    """Repeat the right and lower border up to multiples of 32, at which the encoder's features halve exactly."""
    height, width = image.shape[-2:]
    # Written as 32 * n, not as size + (-size % 32): the exporter must see that symbolic sizes can be halved.
    rows, columns = (height + STRIDE - 1) // STRIDE * STRIDE, (width + STRIDE - 1) // STRIDE * STRIDE
    return F.pad(image, (0, columns - width, 0, rows - height), mode="replicate")


def _start_near(conv: nn.Module, value: float) -> None:
    """Let a last convolution answer about this at first, whatever it is given."""
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    nn.init.xavier_uniform_(conv.weight, gain=0.1)
    nn.init.constant_(conv.bias, value)


def _nearest(size: int) -> int:
    return max(STRIDE, round(size / STRIDE) * STRIDE)


def _use_keras_batchnorm(module: nn.Module) -> None:
    """Constants of Keras' DenseNet. With torch's momentum of 0.1 the running means are off by .79 after 5 steps."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1.001e-5
            layer.momentum = 0.01
