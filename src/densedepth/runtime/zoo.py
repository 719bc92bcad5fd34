"""Finding a model: a shipped name, a bundle, or a checkpoint."""

from __future__ import annotations

from pathlib import Path

from densedepth.errors import BundleError
from densedepth.runtime.bundle import Bundle
from densedepth.runtime.devices import AUTO, known_device
from densedepth.runtime.estimator import DepthEstimator
from densedepth.runtime.hub import PREFIX, fetch_bundle

BUNDLES_DIR = Path(__file__).resolve().parents[1] / "bundles"
"""Where the shipped bundles lie, one NAME.onnx each."""
EXAMPLES_DIR = Path(__file__).resolve().parents[1] / "examples"
"""Where the example photos lie."""


def available() -> list[str]:
    """Names of the shipped bundles."""
    return sorted(path.stem for path in BUNDLES_DIR.glob("*.onnx"))


def load(model: str | Path = "nyu", *, device: str = AUTO, threads: int | None = None) -> DepthEstimator:
    """Load a model for prediction.

    Args:
        model: name of a shipped bundle, path of a bundle (.onnx or .xml), a checkpoint folder, which needs torch, or
            `hf:user/repo` for a bundle of the Hugging Face hub, see `runtime.hub`.
            A shipped name wins over a folder of that name: write ./nyu for the folder.
        device: what runs it, a name in `densedepth.runtime.devices.DEVICES`; "auto" takes a GPU that onnxruntime offers
            and that works, with a warning about one that does not, else onnxruntime on the CPU, and OpenVINO for an
            .xml. `estimator.device` names it.
        threads: cores used for one prediction; None lets the runtime decide.

    Returns:
        The estimator; several threads may use it at the same time.

    Raises:
        BundleError: no such model, a damaged bundle, or a checkpoint without the train extra installed.
        DeviceError: the device is unknown, not installed, or does not start.
    """
    known_device(device)
    if str(model) in available():
        return DepthEstimator(Bundle(BUNDLES_DIR / f"{model}.onnx", device=device, threads=threads))
    if str(model).startswith(PREFIX):
        return DepthEstimator(Bundle(fetch_bundle(str(model)), device=device, threads=threads))
    path = Path(model)
    if path.is_dir():
        return _checkpoint_estimator(path, device, threads)
    if path.is_file() or path.suffix in (".onnx", ".xml"):
        return DepthEstimator(Bundle(path, device=device, threads=threads))
    names = ", ".join(available()) or "none in this installation"
    raise BundleError(f"unknown model '{model}': shipped are {names}; or give a bundle (.onnx) or checkpoint folder")


def _checkpoint_estimator(path: Path, device: str, threads: int | None) -> DepthEstimator:
    """A checkpoint is torch's business: here, and for `--device torch`, runtime reaches up to export."""
    try:
        from densedepth.export import checkpoint_estimator
    except ModuleNotFoundError as cause:
        if (cause.name or "").startswith("densedepth"):
            raise
        raise BundleError(f"{path}: a checkpoint needs {cause.name}: pip install densedepth[train]") from cause
    estimator: DepthEstimator = checkpoint_estimator(path, device=device, threads=threads)
    return estimator
