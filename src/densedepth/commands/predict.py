"""`densedepth predict`: photos to depth files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from densedepth.commands.arguments import Choices
from densedepth.commands.batch import Settings, Tally, predict_all
from densedepth.commands.engines import Engine
from densedepth.commands.inputs import find_inputs
from densedepth.commands.outputs import OUTPUTS, output_stems

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
    engine: Engine = "local",
    workers: int = 0,
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
        threads: processor cores to use for one photo; all by default
        engine: local predicts photo after photo; ray spreads them over a cluster (the one that $RAY_ADDRESS names, or
            the cores of this machine); folders must lie where every machine sees them
        workers: processes of the ray engine; 0 is one for each core
    """
    settings = Settings(model, list(dict.fromkeys(format)), focal_35mm, fov, tta, overwrite, threads)
    found = find_inputs(inputs)
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr)
    tally = Tally(failed=len(found.problems), left_alone=found.left_alone)
    if found.files:
        stems = output_stems(place for _, place in found.files)
        jobs = [(file, out / stem) for (file, _), stem in zip(found.files, stems, strict=True)]
        if engine == "ray":  # its workers may stand in another folder
            jobs = [(file.absolute(), stem.absolute()) for file, stem in jobs]
            settings = replace(settings, model=str(Path(model).absolute()) if Path(model).exists() else model)
        predict_all(settings, jobs, tally, engine, workers)
    print(tally.summary())
    return 1 if tally.failed else 0
