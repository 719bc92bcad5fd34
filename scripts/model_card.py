"""Write MODEL_CARD.md from the card inside the shipped bundle: python scripts/model_card.py

tests/test_release.py compares the two: a new bundle needs this command once more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from densedepth.io import replacing
from densedepth.metrics import METRIC_NAMES
from densedepth.runtime import Card, InputCamera, read_card
from densedepth.runtime.card import PROTOCOL_KEYS
from densedepth.runtime.zoo import BUNDLES_DIR

NAME = "nyu"
PAGE = Path(__file__).resolve().parents[1] / "MODEL_CARD.md"


def page(card: Card, megabytes: float) -> str:
    """The whole page; `megabytes` is the size of the bundle."""
    near_m, far_m = card.depth_range_m
    measured = "\n\n".join(map(_measured, card.metrics)) or "Not measured."
    return f"""# Model card: `{card.name}`

<!-- Made by `python scripts/model_card.py` from the card inside the bundle; not to be edited. -->

Monocular depth: one RGB photo in, metres out, and the weights that `densedepth` ships.

| | |
|---|---|
| file | `densedepth/bundles/{card.name}.onnx`, {megabytes:.1f} MB: one ONNX file from uint8 RGB to metres |
| encoder | `{card.encoder}`, decoder width {card.decoder_width} |
| input | {_input(card.input)} |
| output | float32 metres, {near_m:g} to {far_m:g} m for the training camera |
| made with | {card.created_with} |
| method | Alhashim and Wonka, High Quality Monocular Depth Estimation via Transfer Learning, arXiv 1812.11941 |

## Intended use

Depth of indoor scenes seen by an ordinary camera: sketches of rooms, effects on photos, research, a start for training
on frames of one's own (`configs/finetune.yaml`). Not for decisions that people's safety depends on: it answers for
every picture, also for those it knows nothing about.

## Training data

{card.training_data or "Not stated."}

## Limits

- Rooms as in the training data. Outdoors, close-ups, mirrors, glass and pictures of pictures are outside.
- Metres need the focal length (EXIF, `--focal-35mm`, `--camera`); without one that of the training camera is assumed,
  and all depths are wrong by the ratio of the two.
- The frames were taken in the homes, shops and offices of a few cities; elsewhere it has not been measured.
- Edges are soft: the network works at half of its input's size.

## Measured

`densedepth evaluate --model {card.name} --dataset nyu --root DIR` makes these numbers, with `--tta false` those without
mirror averaging; brackets hold the 95 % interval over images.

{measured}

## Licence

{card.license or "Not stated."}
"""


def _input(camera: InputCamera) -> str:
    return (
        f"{camera.width} x {camera.height} for the training camera ({camera.focal_35mm:.0f} mm in 35mm terms); "
        "photos of any size are brought to its diagonal"
    )


def _measured(result: dict[str, Any]) -> str:
    """A paragraph and a table for one evaluation."""
    protocol = ", ".join(f"{key} {result[key]}" for key in ("dataset", *PROTOCOL_KEYS) if key in result)
    intervals = result.get("intervals95", {})
    lines = [f"**{protocol}**", "", f"| | {' | '.join(METRIC_NAMES)} |", "|---" * (len(METRIC_NAMES) + 1) + "|"]
    for part in ("per_image", "pooled"):
        if part in result:
            cells = [_number(result[part].get(name), intervals.get(part, {}).get(name)) for name in METRIC_NAMES]
            lines.append(f"| {part.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return ""
    low_high = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{value:.3f}{low_high}"


if __name__ == "__main__":
    bundle = BUNDLES_DIR / f"{NAME}.onnx"
    with replacing(PAGE) as temporary:
        temporary.write_text(page(read_card(bundle), bundle.stat().st_size / 1e6), encoding="utf-8")
    print(f"written: {PAGE}")
