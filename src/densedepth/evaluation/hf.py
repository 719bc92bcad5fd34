"""Depth models of transformers, local or from the hub, measured like our own. Needs the extra `hf`."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from densedepth.errors import BundleError, DeviceError, NoBundleError
from densedepth.evaluation.alignment import Space
from densedepth.io.opening import one_line
from densedepth.runtime import DepthEstimator, load
from densedepth.runtime.devices import AUTO
from densedepth.runtime.hub import PREFIX
from densedepth.types import DepthMap

#: Architectures that predict metres but whose config has no key that says so.
_METRIC_TYPES = frozenset({"zoedepth", "depth_pro", "glpn"})
#: Disparities are floored at this part of the largest one: zero means infinitely far, which no depth map can hold.
_FLOOR = 1e-6


@dataclass(frozen=True)
class HubCard:
    """The part of a bundle's card that a foreign model has."""

    name: str
    training_data: str = ""


class HubEstimator:
    """A model of transformers' depth estimation as something to evaluate.

    Attributes:
        card: its name.
        device: what it runs on.
        space: "depth" when it predicts metres; "disparity" when it predicts reciprocal depth up to scale and shift, in
            which case `predict` returns the reciprocal of that.
    """

    takes_camera = False
    device = "torch"

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self.model = model.eval()
        self.processor = processor
        self.card = HubCard(name)
        self.space: Space = "depth" if predicts_metres(model.config) else "disparity"

    def predict(self, image: np.ndarray, *, tta: bool = False) -> DepthMap:
        """Predict uint8 (H, W, 3) RGB; ``tta`` averages the model's own answer with that for the mirrored photo."""
        answer = self._infer(image)
        if tta:
            answer = (answer + self._infer(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]) / 2
        if self.space == "disparity" and np.isfinite(answer).all() and answer.max() > 0:
            answer = 1 / np.maximum(answer, _FLOOR * answer.max())
        return DepthMap(np.ascontiguousarray(answer, dtype=np.float32), image=image, model=self.card.name)

    def _infer(self, image: np.ndarray) -> np.ndarray:
        """The model's answer at the size of the photo, resized as its own processor does; float32 (H, W)."""
        import torch

        inputs = self.processor(images=Image.fromarray(image), return_tensors="pt")
        with torch.inference_mode():
            outputs = self.model(**inputs)
        size = image.shape[:2]
        finish = self.processor.post_process_depth_estimation
        sizes = {"target_sizes": [size]}
        # ZoeDepth pads its input and must know the photo's size to cut that off again.
        if "source_sizes" in inspect.signature(finish).parameters:
            sizes["source_sizes"] = [size]
        answer: np.ndarray = finish(outputs, **sizes)[0]["predicted_depth"].float().cpu().numpy()
        return answer.reshape(size)


def predicts_metres(config: Any) -> bool:
    """Whether a transformers config says that the model predicts metres; one that says nothing is taken as relative."""
    kind = getattr(config, "depth_estimation_type", None)
    if kind is not None:  # Depth Anything has max_depth = 1 in its relative models, too: the type decides
        return bool(kind == "metric")
    return getattr(config, "model_type", "") in _METRIC_TYPES or bool(getattr(config, "max_depth", None))


def load_any(model: str, *, device: str = AUTO, threads: int | None = None) -> DepthEstimator | HubEstimator:
    """A model of ours, or what `hf:` names: a bundle where the repository holds one, else a model of transformers.

    Raises:
        BundleError: no such model, or one that cannot be loaded.
        DeviceError: the device cannot run it; models of transformers run on torch's CPU.
    """
    try:
        return load(model, device=device, threads=threads)
    except NoBundleError:
        if not model.startswith(PREFIX):
            raise
        if device not in (AUTO, HubEstimator.device):
            raise DeviceError(f"{model}: a model of transformers runs on --device torch, not on {device}") from None
        return load_hub(model, threads=threads)


def load_hub(model: str, *, threads: int | None = None) -> HubEstimator:
    """Load ``hf:<repository or local folder>``.

    Raises:
        BundleError: the extra is not installed, nothing is found under that name, or it is no depth model.
    """
    name = model.removeprefix(PREFIX)
    if not name:
        raise BundleError(f"{model}: give a repository or a folder, such as hf:Intel/zoedepth-nyu")
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation
    except ImportError as cause:
        raise BundleError(f"{model}: needs {cause.name or 'transformers'}: pip install densedepth[hf]") from cause
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        processor = AutoImageProcessor.from_pretrained(name)
        network = AutoModelForDepthEstimation.from_pretrained(name)
    except Exception as cause:  # anything can come from the hub, its cache, or a damaged file
        why = one_line(cause)[:300]
        raise BundleError(f"{model}: not a depth model that transformers can load ({why})") from cause
    return HubEstimator(network, processor, model)
