"""The networks: ImageNet-pretrained encoders, the decoder of the paper, and both together as ``DenseDepth``."""

from densedepth.models.checkpoint import load_checkpoint, save_checkpoint
from densedepth.models.decoder import Decoder
from densedepth.models.densedepth import DenseDepth
from densedepth.models.encoders import build_encoder

__all__ = ["Decoder", "DenseDepth", "build_encoder", "load_checkpoint", "save_checkpoint"]
