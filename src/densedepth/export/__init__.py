"""From torch to a file that runs by itself: bundle, OpenVINO IR, torch.export program; int8; verification."""

from densedepth.export.bundle import add_metrics, checkpoint_estimator, export_bundle, export_checkpoint, export_file
from densedepth.export.torch_runner import torch_runner

__all__ = [
    "add_metrics",
    "checkpoint_estimator",
    "export_bundle",
    "export_checkpoint",
    "export_file",
    "torch_runner",
]
