"""`densedepth predict`: photos to depth files."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from densedepth.commands import UsageError
from densedepth.commands.arguments import Choices
from densedepth.commands.batch import Batch, Tally
from densedepth.commands.inputs import find_inputs
from densedepth.commands.outputs import OUTPUTS, output_stems
from densedepth.io import Photo
from densedepth.runtime import load
from densedepth.types import Camera

DEFAULT_FORMATS = ["png16", "color"]


def predict(
    inputs: list[str],
    out: Path = Path("out"),
    model: str = "nyu",
    format: Annotated[list[str], Choices(OUTPUTS)] = DEFAULT_FORMATS,
    tta: bool = False,
    overwrite: bool = False,
    focal_35mm: float | None = None,
    fov: float | None = None,
    threads: int | None = None,
) -> int:
    """Predict the depth of photos, in metres.

    Writes NAME_depth.png (16-bit, millimetres), NAME_depth_color.png (photo beside coloured depth) and what
    else --format asks for. A photo that fails is named in one line and the others go on; the exit status is 1
    then.

    Args:
        inputs: photos, folders (all pictures in them; the output mirrors the tree) or patterns such as
            "a/**/*.jpg"
        out: folder for the results
        model: name of a shipped model (see densedepth models), a bundle (.onnx) or a checkpoint folder
        format: what to write for each photo
        tta: average with the mirrored photo, which takes twice the time and is slightly better
        overwrite: replace results that exist; without it they are kept and the photo counts as skipped
        focal_35mm: 35mm-equivalent focal length of the camera in millimetres, instead of EXIF
        fov: horizontal field of view of the camera in degrees, instead of EXIF
        threads: processor cores to use; all by default
    """
    camera_for = _camera_rule(focal_35mm, fov)
    found = find_inputs(inputs)
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr)
    tally = Tally(failed=len(found.problems), left_alone=found.left_alone)
    if found.files:
        batch = Batch(load(model, threads=threads), list(dict.fromkeys(format)), camera_for, tta, overwrite)
        stems = output_stems(place for _, place in found.files)
        batch.run([(file, out / stem) for (file, _), stem in zip(found.files, stems, strict=True)], tally)
    print(tally.summary())
    return 1 if tally.failed else 0


def _camera_rule(focal_35mm: float | None, fov: float | None) -> Callable[[Photo], Camera | None]:
    """The camera that the options mean, for a photo of any size."""
    if focal_35mm is not None and fov is not None:
        raise UsageError("--focal-35mm and --fov say the same thing: give one of them")
    if focal_35mm is not None and not (math.isfinite(focal_35mm) and focal_35mm > 0):
        raise UsageError(f"--focal-35mm must be positive millimetres, got {focal_35mm}")
    if fov is not None and not 0 < fov < 180:
        raise UsageError(f"--fov must lie between 0 and 180 degrees, got {fov}")

    def camera_for(photo: Photo) -> Camera | None:
        height, width = photo.image.shape[:2]
        if fov is not None:
            return Camera.from_fov(width, height, fov)
        return None if focal_35mm is None else Camera.from_focal_35mm(width, height, focal_35mm)

    return camera_for
