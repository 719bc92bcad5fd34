"""From torch to a bundle: export, half-precision storage, verification."""

from densedepth.export.bundle import checkpoint_estimator, export_bundle, export_checkpoint

__all__ = ["checkpoint_estimator", "export_bundle", "export_checkpoint"]
