"""The formats of `densedepth predict` and its file names: NAME_depth.png, NAME_depth_color.png, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from densedepth.commands import UsageError
from densedepth.io import WRITERS, replacing, save_mesh, save_points, side_by_side
from densedepth.io.surface import GRAZING_DEG
from densedepth.types import DepthMap


@dataclass(frozen=True)
class SpaceOptions:
    """How points and meshes are written.

    Attributes:
        flying_pixels: degrees; see `densedepth.io.surface.flying_pixels`.
        normals: points have normals.
        mesh_step: every n-th row and column; 0 chooses.

    Raises:
        UsageError: a number is out of range.
    """

    flying_pixels: float = GRAZING_DEG
    normals: bool = False
    mesh_step: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.flying_pixels < 90:
            raise UsageError(f"--flying-pixels must lie between 0 and 90 degrees, got {self.flying_pixels:g}")
        if self.mesh_step < 0:
            raise UsageError(f"--mesh-step must not be negative, got {self.mesh_step}")


def _write_color(depth: DepthMap, path: Path, options: SpaceOptions) -> None:
    with replacing(path) as temporary:
        # Level 4 takes less than half the time of the default, for a file 4 % larger.
        side_by_side(depth).save(temporary, "PNG", compress_level=4)


def _write_depth(depth: DepthMap, path: Path, options: SpaceOptions) -> None:
    depth.save(path)


def _write_points(depth: DepthMap, path: Path, options: SpaceOptions) -> None:
    save_points(depth, path, grazing_deg=options.flying_pixels, normals=options.normals)


def _write_mesh(depth: DepthMap, path: Path, options: SpaceOptions) -> None:
    save_mesh(depth, path, grazing_deg=options.flying_pixels, step=options.mesh_step or None)


OUTPUTS: dict[str, tuple[str, Callable[[DepthMap, Path, SpaceOptions], None]]] = {
    "png16": ("_depth.png", _write_depth),
    "color": ("_depth_color.png", _write_color),
    **{suffix[1:]: (f"_depth{suffix}", _write_depth) for suffix in WRITERS if suffix not in (".png", ".tif")},
    "ply": ("_depth.ply", _write_points),
    "glb": ("_depth.glb", _write_mesh),
    "points-glb": ("_points.glb", _write_points),
    "mesh-ply": ("_mesh.ply", _write_mesh),
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
