"""Draw the pictures of the documentation from the program itself: python scripts/docs_pictures.py

`docs/assets/rooms.svg` comes from the imports that tests/test_imports.py checks, `docs/assets/network.svg` from the
shapes that the network has. tests/test_docs.py compares them with the files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "docs" / "assets"

STYLE = """
rect { fill: #eef2f7; stroke: #5b6b82; rx: 6px }
rect.page { fill: #fff; stroke: none; rx: 0 }
rect.torch { fill: #fdeede; stroke: #b3702a }
rect.decoder { fill: #e3f1e7; stroke: #3f7d54 }
text { font: 13px system-ui, sans-serif; fill: #1c2430; text-anchor: middle }
text.name { font-weight: 600; font-size: 15px }
text.left { text-anchor: start }
path { fill: none; stroke: #5b6b82; stroke-width: 1.5; marker-end: url(#tip) }
path.late { stroke: #b0433c; stroke-dasharray: 5 4; marker-end: url(#late) }
path.skip { stroke: #3f7d54; stroke-dasharray: 2 4 }
marker path { fill: #5b6b82; stroke: none; marker-end: none }
marker#late path { fill: #b0433c }
"""
TIP = '<path d="M0 0 L8 4 L0 8 z"/>'


class Drawing:
    """Boxes, arrows and words as SVG."""

    def __init__(self, width: int, height: int, title: str) -> None:
        marker = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            f'<defs><marker id="tip" {marker}>{TIP}</marker><marker id="late" {marker}>{TIP}</marker></defs>',
            f'<rect class="page" width="{width}" height="{height}"/>',
        ]

    def box(self, left: float, top: float, width: float, height: float, lines: Iterable[str], style: str = "") -> None:
        """A box with a name in its first line."""
        self._parts.append(f'<rect class="{style}" x="{left}" y="{top}" width="{width}" height="{height}"/>')
        lines = list(lines)
        first = top + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            self.text(left + width / 2, first + 18 * number, line, "name" if number == 0 else "")

    def text(self, x: float, y: float, text: str, style: str = "") -> None:
        self._parts.append(f'<text class="{style}" x="{x}" y="{y}">{text}</text>')

    def arrow(self, points: Iterable[tuple[float, float]], style: str = "") -> None:
        self._parts.append(f'<path class="{style}" d="M' + " L".join(f"{x} {y}" for x, y in points) + '"/>')

    def svg(self) -> str:
        return "\n".join(self._parts) + "\n</svg>\n"


# Room: row, first and last column, what is in it.
PLACES: dict[str, tuple[int, float, float, str]] = {
    "cli": (0, 0, 4, "commands: typed functions, and the program that finds them"),
    "training": (1, 1, 3, "recipe, loop, checkpoints, delivery"),
    "serve": (2, 0, 0, "HTTP API, studio"),
    "export": (2, 1, 1, "torch to bundle"),
    "evaluation": (2, 2.5, 3, "protocols, reports"),
    "rooms": (2, 4, 4, "rendered rooms"),
    "models": (3, 1, 1, "encoder, decoder"),
    "losses": (3, 2, 2, "two losses"),
    "metrics": (3, 3, 3, "nine metrics"),
    "data": (3, 4, 4, "frames, readers"),
    "runtime": (4, 0, 2.5, "bundles, DepthEstimator, video; never torch"),
    "io": (5, 0, 4, "photos in; depth, points and meshes out"),
    "types": (6, 0, 2, "DepthMap, Camera"),
    "errors": (6, 3, 4, "one line each"),
}
# Where an arrow is not to run from middle to middle.
COLUMN = {("evaluation", "runtime"): 2.5, ("training", "losses"): 2, ("cli", "serve"): 0, ("cli", "rooms"): 4}
ROW_PX, BOX_PX, COLUMN_PX, WIDE_PX = 92, 52, 176, 156


def room_imports() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """(room, imported room) when the module is imported or at any time downwards; and those that wait and lead up."""
    sys.path.insert(0, str(ROOT / "tests"))
    from densedepth.cli import COMMANDS
    from test_imports import ABOVE_ALL, FILES, LAZY_UPWARD, ROOMS, imports_of, room_of

    named = [("cli", f"{module.partition(':')[0]}.") for module in COMMANDS.values()]
    found = {(room_of(file), module) for file in FILES for module, _ in imports_of(file)} | set(named)
    edges = set()
    for room, module in found:
        package, _, rest = module.partition(".")
        target = rest.partition(".")[0]
        target = "cli" if target in ABOVE_ALL else target
        if package == "densedepth" and target in ROOMS and target != room:
            edges.add((room, target))
    return edges - LAZY_UPWARD, edges & LAZY_UPWARD


def without_detours(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that no longer way replaces."""

    def reaches(start: str, end: str) -> bool:
        return any(a == start and (b == end or reaches(b, end)) for a, b in edges)

    return {(a, b) for a, b in edges if not any(x == a and y != b and reaches(y, b) for x, y in edges)}


def rooms_picture() -> str:
    from test_imports import TORCH_FREE

    down, late = room_imports()
    drawing = Drawing(912, 720, "The rooms of densedepth; an arrow is an import")

    def middle(column: float) -> float:
        return 26 + WIDE_PX / 2 + COLUMN_PX * column

    def top(room: str) -> float:
        return 20 + ROW_PX * PLACES[room][0]

    for room, (_, first, last, text) in PLACES.items():
        width = WIDE_PX + COLUMN_PX * (last - first)
        style = "" if room in TORCH_FREE or room in ("data", "metrics", "rooms", "evaluation") else "torch"
        drawing.box(middle(first) - WIDE_PX / 2, top(room), width, BOX_PX, [room, text], style)
    for a, b in sorted(without_detours(down)):
        (first_a, last_a, _), (first_b, last_b, _) = PLACES[a][1:], PLACES[b][1:]
        column = COLUMN.get((a, b), (max(first_a, first_b) + min(last_a, last_b)) / 2)
        ends = [middle(min(max(column, first_a), last_a)), middle(min(max(column, first_b), last_b))]
        drawing.arrow([(ends[0], top(a) + BOX_PX), (ends[1], top(b))])
    for a, b in sorted(late):
        x = middle(PLACES[a][1]) + (60 if a != "runtime" else COLUMN_PX - 68)
        drawing.arrow([(x, top(a)), (x, top(b) + BOX_PX)], "late")
    y = 20 + ROW_PX * 7
    drawing.box(26, y, 24, 16, [])
    drawing.text(58, y + 13, "works without torch", "left")
    drawing.box(206, y, 24, 16, [], "torch")
    drawing.text(238, y + 13, "needs torch", "left")
    drawing.arrow([(356, y + 8), (396, y + 8)])
    drawing.text(404, y + 13, "imports (what follows from others is left out)", "left")
    drawing.arrow([(716, y + 8), (752, y + 8)], "late")
    drawing.text(760, y + 13, "only inside functions", "left")
    return drawing.svg()


def shapes(encoder: str = "densenet169") -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """(height, width, channels) of the five taps, and of conv2, up1 to up4 and conv3, for a 480 x 640 photo."""
    import torch

    from densedepth.models import DenseDepth

    # A fifth of the photo gives a fifth of every side.
    net = DenseDepth(encoder, "paper", pretrained=False).eval()
    answers: list[torch.Tensor] = []
    for name in ("conv2", "up1", "up2", "up3", "up4", "conv3"):
        layer = net.decoder.get_submodule(name)
        layer.register_forward_hook(lambda _layer, _input, output: answers.append(output))
    with torch.no_grad():
        taps = net.encoder(torch.zeros(1, 3, 96, 128))
        net.decoder(taps)
    return [_size(tap) for tap in taps], [_size(answer) for answer in answers]


def _size(tensor: Any) -> tuple[int, ...]:
    _, channels, height, width = tensor.shape
    return 5 * height, 5 * width, channels


ENCODER = ("conv 7x7 /2, norm, ReLU", "max-pool 3x3 /2", "dense block 1, transition", "dense block 2, transition")


def network_picture() -> str:
    taps, answers = shapes()
    taps = sorted(taps, key=lambda tap: -tap[0])
    drawing = Drawing(912, 620, "DenseNet-169 and the decoder of the paper, for a photo of 480 x 640 pixels")
    steps = [94 + 84 * number for number in range(5)]
    left = [(26 + 40 * number, y) for number, y in enumerate(steps)]
    right = [(626 - 40 * number, y) for number, y in enumerate(steps)]
    wide, high = 260, 52
    drawing.box(26, 20, wide, high - 8, ["photo", "480 x 640 x 3, RGB / 255"])
    names = [*ENCODER, "dense blocks 3 and 4, ReLU"]
    for (x, y), name, tap in zip(left, names, taps, strict=True):
        drawing.box(x, y, wide, high, [name, _words(tap)], "torch")
    conv2, *ups, conv3 = answers
    drawing.box(*right[4], wide, high, ["conv2 1x1", _words(conv2)], "decoder")
    for number, up in enumerate(ups):
        x, y = right[3 - number]
        drawing.box(x, y, wide, high, [f"up{number + 1}", _words(up)], "decoder")
        drawing.arrow([(left[3 - number][0] + wide, y + 26), (x, y + 26)], "skip")
        drawing.text((left[3 - number][0] + wide + x) / 2, y + 18, "skip")
    drawing.arrow([(left[4][0] + wide, steps[4] + 26), (right[4][0], steps[4] + 26)])
    drawing.arrow([(156, 64), (156, 94)])
    for (x, y), (_, below) in pairwise(left):
        drawing.arrow([(x + wide / 2, y + high), (x + wide / 2, below)])
        drawing.arrow([(912 - x - wide / 2, below), (912 - x - wide / 2, y + high)])
    drawing.box(626, 20, wide, high - 8, ["conv3 3x3: y = m / depth", _words(conv3)], "decoder")
    drawing.arrow([(756, 94), (756, 64)])
    drawing.text(
        456, 524, "up k: twice as large (bilinear), concatenated with the skip, two 3x3 convolutions, LeakyReLU 0.2"
    )
    drawing.text(
        456, 548, "sizes are height x width x channels; orange starts from ImageNet's weights, green from random ones"
    )
    drawing.text(456, 588, "depth in metres = m / y, clipped, and brought from half to the photo's own size")
    return drawing.svg()


def _words(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


PICTURES = {"rooms.svg": rooms_picture, "network.svg": network_picture}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    for name, draw in PICTURES.items():
        (ASSETS / name).write_text(draw())
        print(f"written: {ASSETS / name}")
