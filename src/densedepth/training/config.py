"""The recipe as typed objects. YAML files and command line flags use the same keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from densedepth.data import AugmentConfig


@dataclass(frozen=True)
class ModelConfig:
    """The network; see :class:`densedepth.models.DenseDepth` for each switch.

    Attributes:
        encoder: timm model name.
        preset: "paper" or "half".
        decoder_width: channels after conv2; null takes the preset's.
        inner_activation: null takes the preset's.
        align_corners: null takes the preset's.
        normalize: null normalises all encoders but DenseNets.
        output: "linear" (the paper) or "exp" (always positive; the log loss needs it).
        reciprocal_m: m of y = m / depth_m.
        depth_range_m: metres are clipped to this range.
        pretrained: start from ImageNet weights; false starts from random ones. "auto" takes ImageNet's if they can
            be had and otherwise warns and starts from random ones; the saved recipe says which.
    """

    encoder: str = "tf_efficientnet_lite2"
    preset: Literal["paper", "half"] = "half"
    decoder_width: int | None = None
    inner_activation: bool | None = None
    align_corners: bool | None = None
    normalize: bool | None = None
    output: Literal["linear", "exp"] = "linear"
    reciprocal_m: float = 10.0
    depth_range_m: tuple[float, float] = (0.1, 10.0)
    pretrained: bool | Literal["auto"] = True


@dataclass(frozen=True)
class DataConfig:
    """The frames.

    Attributes:
        root: folder of the data set.
        dataset: layout, "nyu" for the published csv layout.
        options: of that layout's reader, by name, such as `mask_border: true` (nyu: leave the white border of the
            photos out of the loss).
        height: of the network's input, a multiple of 32.
        width: of the network's input, a multiple of 32.
        fit: how frames of another aspect ratio fill it: "crop" takes the largest window and keeps pixels square,
            "stretch" resizes the whole frame, as published for KITTI (1242x375 to 1280x384).
        validation_fraction: share of the training frames held out for validation, whole scenes at a time; 0 trains
            on all of them and keeps the last weights.
        split_seed: draws the validation scenes.
        canonical_focal: scale depth from each view's focal length to that of the training camera, so that zoomed
            views and other cameras teach the same metres. The paper does not.
        augment: what training does to a frame.
        workers: loader processes; 0 loads in the training process.
        in_memory: keep decoded frames in memory (1.5 MB for 640x480 each), once per loader process.
    """

    root: str
    dataset: str = "nyu"
    options: dict[str, Any] = field(default_factory=dict)
    height: int = 480
    width: int = 640
    fit: Literal["crop", "stretch"] = "crop"
    validation_fraction: float = 0.1
    split_seed: int = 0
    canonical_focal: bool = False
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    workers: int = 0
    in_memory: bool = False


@dataclass(frozen=True)
class LossConfig:
    """The loss.

    Attributes:
        name: "paper" (SSIM + edges + 0.1 depth on reciprocal depth) or "log" (L1 and gradients of log depth).
        gradient_weight: of the log loss.
    """

    name: Literal["paper", "log"] = "paper"
    gradient_weight: float = 0.5


@dataclass(frozen=True)
class OptimConfig:
    """The optimiser.

    Attributes:
        name: "adam" (with amsgrad, the paper) or "adamw".
        lr: learning rate of the decoder; the peak under "onecycle".
        encoder_lr_factor: the encoder learns at lr times this.
        weight_decay: of adamw, on weights but not on biases and norms.
        schedule: "constant" (the paper) or "onecycle".
        clip_norm: largest gradient norm; 0 = no clipping.
        keras_epsilon: of adam: place its epsilon as Keras does, in whose program the paper's network was trained.
        ema_decay: decay per step of the averaged weights that are validated and saved; 0 = no averaging.
    """

    name: Literal["adam", "adamw"] = "adam"
    lr: float = 1e-4
    encoder_lr_factor: float = 1.0
    weight_decay: float = 0.0
    schedule: Literal["constant", "onecycle"] = "constant"
    clip_norm: float = 0.0
    keras_epsilon: bool = False
    ema_decay: float = 0.0
