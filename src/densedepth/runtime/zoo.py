"""Finding a model: a shipped name, a bundle, or a checkpoint."""

from __future__ import annotations

from pathlib import Path

from densedepth.errors import BundleError
from densedepth.runtime.bundle import Bundle
from densedepth.runtime.estimator import DepthEstimator

BUNDLES_DIR = Path(__file__).resolve().parents[1] / "bundles"
"""Where the shipped bundles lie, one NAME.onnx each."""


def available() -> list[str]:
    """Names of the shipped bundles."""
    return sorted(path.stem for path in BUNDLES_DIR.glob("*.onnx"))


def load(model: str | Path = "nyu", *, threads: int | None = None) -> DepthEstimator:
    """Load a model for prediction.

    Args:
        model: name of a shipped bundle, path of a bundle (.onnx), or a checkpoint folder, which needs torch.
            A shipped name wins over a folder of that name: write ./nyu for the folder.
        threads: cores used for one prediction of a bundle; None lets onnxruntime decide.

    Raises:
        BundleError: no such model, a damaged bundle, or a checkpoint without the train extra installed.
    """
    if str(model) in available():
        return DepthEstimator(Bundle(BUNDLES_DIR / f"{model}.onnx", threads=threads))
    path = Path(model)
    if path.is_dir():
        return _checkpoint_estimator(path)
    if path.is_file() or path.suffix == ".onnx":
        return DepthEstimator(Bundle(path, threads=threads))
    names = ", ".join(available()) or "none in this installation"
    raise BundleError(f"unknown model '{model}': shipped are {names}; or give a bundle (.onnx) or checkpoint folder")


def _checkpoint_estimator(path: Path) -> DepthEstimator:
    """A checkpoint is torch's business; this is the one place where runtime reaches up to export."""
    try:
        from densedepth.export import checkpoint_estimator
    except ModuleNotFoundError as cause:
        if (cause.name or "").startswith("densedepth"):
            raise
        raise BundleError(f"{path}: a checkpoint needs {cause.name}: pip install densedepth[train]") from cause
    estimator: DepthEstimator = checkpoint_estimator(path)
    return estimator
