"""The networks: ImageNet-pretrained encoders, the decoder of the paper, and both together as ``DenseDepth``."""

from densedepth.models.bundle_import import read_bundle
from densedepth.models.checkpoint import load_checkpoint, save_checkpoint
from densedepth.models.decoder import Decoder
from densedepth.models.densedepth import DenseDepth
from densedepth.models.encoders import build_encoder
from densedepth.models.imagenet import WeightsUnavailableError
from densedepth.models.keras_import import import_keras

__all__ = [
    "Decoder",
    "DenseDepth",
    "WeightsUnavailableError",
    "build_encoder",
    "import_keras",
    "load_checkpoint",
    "read_bundle",
    "save_checkpoint",
]
