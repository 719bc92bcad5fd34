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
        uncertainty: also learn how far off the depth is likely to be; the depth is learned as without it.
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
    uncertainty: bool = False
    pretrained: bool | Literal["auto"] = True


@dataclass(frozen=True)
class AlsoConfig:
    """Frames of another data set to train on beside the main one. They never validate.

    Attributes:
        root: folder of the data set.
        per_epoch: how many of its frames an epoch takes; the next epoch takes the next ones.
        dataset: layout.
        options: of that layout's reader.
    """

    root: str
    per_epoch: int
    dataset: str = "nyu"
    options: dict[str, Any] = field(default_factory=dict)


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
            views and other cameras teach the same metres; a frame without camera is taken to be seen by the training
            camera. The paper does not.
        also: further data sets to train on; give `canonical_focal: true` when their cameras differ.
        augment: what training does to a frame.
        workers: loader processes; 0 loads in the training process.
        in_memory: keep decoded frames in memory (0.6 MB each at 320x240), once per loader process.
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
    also: list[AlsoConfig] = field(default_factory=list)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    workers: int = 0
    in_memory: bool = False


@dataclass(frozen=True)
class LossConfig:
    """The loss.

    Attributes:
        name: "paper" (SSIM + edges + 0.1 depth on reciprocal depth), "log" (L1 and gradients of log depth) or "silog"
            (the scale-invariant error of log depth, which forgives 0.85 of an image's error in scale, and gradients).
        gradient_weight: of the log and silog losses.
    """

    name: Literal["paper", "log", "silog"] = "paper"
    gradient_weight: float = 0.5


@dataclass(frozen=True)
class OptimConfig:
    """The optimiser and its learning rates.

    Attributes:
        name: "adam" (with amsgrad, the paper) or "adamw".
        lr: learning rate of the decoder; the peak under a schedule. "auto" is 2.5e-4 at a batch of 8 and goes with the
            square root of the batch size.
        encoder_lr_factor: the encoder learns at lr times this.
        freeze_encoder_epochs: the encoder learns nothing in the first so many epochs; the statistics of its BatchNorms
            stand still, too.
        weight_decay: of adamw, on weights but not on biases and norms.
        schedule: "constant" (the paper); "onecycle" rises and falls within the run; "cosine" falls to nothing within
            the run; "plateau" falls whenever validation delta1 has stopped rising.
        warmup_steps: steps in which the learning rate rises from nothing; null is none, and a tenth of the run for
            "onecycle", whose rise it is.
        plateau_patience: validations without a better delta1 after which "plateau" lowers the learning rate.
        plateau_factor: what "plateau" multiplies it by.
        accumulate: cut every batch into so many parts that pass the network one after the other: less memory, the
            same step (BatchNorm sees each part alone).
        clip_norm: largest gradient norm; 0 = no clipping.
        keras_epsilon: of adam: place its epsilon as Keras does, in whose program the paper's network was trained.
        ema_decay: decay per step of the averaged weights that are validated and saved; 0 = no averaging.
    """

    name: Literal["adam", "adamw"] = "adam"
    lr: float | Literal["auto"] = 1e-4
    encoder_lr_factor: float = 1.0
    freeze_encoder_epochs: int = 0
    weight_decay: float = 0.0
    schedule: Literal["constant", "onecycle", "cosine", "plateau"] = "constant"
    warmup_steps: int | None = None
    plateau_patience: int = 3
    plateau_factor: float = 0.3
    accumulate: int = 1
    clip_norm: float = 0.0
    keras_epsilon: bool = False
    ema_decay: float = 0.0


@dataclass(frozen=True)
class EngineConfig:
    """How a run is carried out. Nothing here changes what is learned, but for rounding and early stopping.

    Attributes:
        accelerator: "auto" takes a GPU if there is one.
        devices: processes on this machine, one a GPU; they share each batch.
        nodes: machines, all with so many devices.
        compile: compile the network with torch.compile; "auto" does on a GPU.
        grad_checkpointing: keep only the features between the layers of a DenseNet's dense blocks, and work out what
            is inside them once more when the gradient needs it: less memory, more time.
        checkpoint_every_steps: steps between two checkpoints within an epoch; 0 = none by steps.
        checkpoint_every_minutes: minutes between two checkpoints within an epoch; 0 = none by time. The end of each
            epoch is always one.
        early_stopping: stop after so many validations without a better delta1; 0 = never.
        log_every: steps between two lines of metrics.csv, each the mean of its steps.
        loggers: beside metrics.csv, which is always written. wandb and mlflow are packages of their own.
        pictures: validation frames that TensorBoard shows as photo, truth and prediction.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    nodes: int = 1
    compile: bool | Literal["auto"] = "auto"
    grad_checkpointing: bool = False
    checkpoint_every_steps: int = 0
    checkpoint_every_minutes: float = 10.0
    early_stopping: int = 0
    log_every: int = 10
    loggers: list[Literal["tensorboard", "wandb", "mlflow"]] = field(default_factory=lambda: ["tensorboard"])
    pictures: int = 4
