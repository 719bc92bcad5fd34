"""`densedepth models`: what is shipped, and how good it is."""

from __future__ import annotations

import sys

from densedepth.errors import BundleError
from densedepth.runtime import available, read_card
from densedepth.runtime.card import PROTOCOL_KEYS, shown_metrics
from densedepth.runtime.zoo import BUNDLES_DIR


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
            protocol = ", ".join(f"{key} {result[key]}" for key in ("dataset", *PROTOCOL_KEYS) if key in result)
            numbers = "  ".join(f"{key} {value:.3f}" for key, value in shown_metrics(result).items())
            print(f"  measured   {protocol}\n             {numbers}")
    return failed
