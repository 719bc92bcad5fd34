"""`densedepth models`: what is shipped, and how good it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from densedepth.errors import BundleError
from densedepth.runtime import available, read_card
from densedepth.runtime.zoo import BUNDLES_DIR

SHOWN_METRICS = ("delta1", "delta2", "delta3", "abs_rel", "rmse", "log10")
SHOWN_PROTOCOL = ("dataset", "protocol", "crop", "cap_m", "alignment", "tta", "images")


def models() -> int:
    """List the shipped models with what they were trained on and their measured quality."""
    if not available():
        print("no models are shipped with this installation")
    failed = 0
    for name in available():
        path = BUNDLES_DIR / f"{name}.onnx"
        try:
            card = read_card(path)
        except BundleError as error:
            failed = 1
            print(f"error: {error}", file=sys.stderr)
            continue
        near_m, far_m = card.depth_range_m
        print(f"{name}  ({path.stat().st_size / 1e6:.1f} MB)")
        print(f"  encoder    {card.encoder}, decoder width {card.decoder_width}")
        print(f"  input      {card.input.width} x {card.input.height}, {near_m:g} to {far_m:g} m")
        print(f"  training   {card.training_data}")
        print(f"  licence    {card.license}")
        for result in card.metrics:
            print(f"  measured   {_protocol(result)}\n             {_numbers(result)}")
    return failed


def _protocol(result: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {result[key]}" for key in SHOWN_PROTOCOL if key in result)


def _numbers(result: Mapping[str, Any]) -> str:
    """The mean over images, as most papers report; results without it show what they have pooled."""
    numbers = result.get("per_image") or result.get("pooled") or {}
    return "  ".join(f"{key} {numbers[key]:.3f}" for key in SHOWN_METRICS if key in numbers)
