"""The formats of `densedepth predict` and its file names: NAME_depth.png, NAME_depth_color.png, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from densedepth.io import WRITERS, replacing, side_by_side
from densedepth.types import DepthMap


def _write_color(depth: DepthMap, path: Path) -> None:
    with replacing(path) as temporary:
        side_by_side(depth).save(temporary, "PNG")


def _write_depth(depth: DepthMap, path: Path) -> None:
    depth.save(path)


OUTPUTS: dict[str, tuple[str, Callable[[DepthMap, Path], None]]] = {
    "png16": ("_depth.png", _write_depth),
    "color": ("_depth_color.png", _write_color),
    **{suffix[1:]: (f"_depth{suffix}", _write_depth) for suffix in WRITERS if suffix not in (".png", ".tif")},
}
"""Name of a format to (ending of the file name, writer): what `io` can save, and the picture to look at."""


def output_stems(places: Iterable[Path]) -> list[Path]:
    """A path without ending for every input, all different, also on file systems that ignore case.

    `room.jpg` gives `room`. Where several inputs share that name, the second is `room_png` after its suffix,
    then `room_png_2` and so on.
    """
    taken: set[str] = set()
    stems = []
    for place in places:
        with_suffix = place.with_name(f"{place.stem}_{place.suffix[1:]}" if place.suffix else place.name)
        candidates = [place.with_name(place.stem), with_suffix]
        number = 2
        while (stem := candidates.pop(0)).as_posix().casefold() in taken:
            if not candidates:
                candidates.append(with_suffix.with_name(f"{with_suffix.name}_{number}"))
                number += 1
        taken.add(stem.as_posix().casefold())
        stems.append(stem)
    return stems


def output_path(stem: Path, output_format: str) -> Path:
    """Where one format of one input goes."""
    return stem.with_name(stem.name + OUTPUTS[output_format][0])


def is_output_name(name: str) -> bool:
    """Whether a file looks like one that we wrote: it is no photo, even when it lies among photos."""
    return name.lower().endswith(tuple(ending for ending, _ in OUTPUTS.values()))
