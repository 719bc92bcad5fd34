"""From torch to a bundle: export, half-precision storage, verification."""

from densedepth.export.bundle import add_metrics, checkpoint_estimator, export_bundle, export_checkpoint

__all__ = ["add_metrics", "checkpoint_estimator", "export_bundle", "export_checkpoint"]
