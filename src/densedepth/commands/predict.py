"""`densedepth predict`: photos to depth files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from densedepth.commands import UsageError
from densedepth.commands.arguments import Choices
from densedepth.commands.batch import Settings, Tally, predict_all
from densedepth.commands.cameras import NO_NUMBERS, camera_choice
from densedepth.commands.engines import Engine
from densedepth.commands.inputs import find_inputs
from densedepth.commands.outputs import OUTPUTS, SpaceOptions, output_stems
from densedepth.io.surface import GRAZING_DEG
from densedepth.runtime.devices import AUTO, known_device
from densedepth.runtime.tiling import Tiles
from densedepth.runtime.upsampling import Upsampling

DEFAULT_FORMATS = ["png16", "color"]


def predict(
    inputs: list[str],
    out: Path = Path("out"),
    model: str = "nyu",
    format: Annotated[list[str], Choices(OUTPUTS)] = DEFAULT_FORMATS,
    tta: bool = False,
    tiles: Tiles = 1,
    upsample: Upsampling = "guided",
    overwrite: bool = False,
    camera: str | None = None,
    fov: float | None = None,
    focal_35mm: float | None = None,
    focal_px: float | None = None,
    intrinsics: list[float] = NO_NUMBERS,
    flying_pixels: float = GRAZING_DEG,
    normals: bool = False,
    mesh_step: int = 0,
    device: str = AUTO,
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
        model: name of a shipped model (see densedepth models), a bundle (.onnx), a checkpoint folder, or hf:user/repo
        format: what to write for each photo
        tta: average with the mirrored photo, which takes twice the time and is slightly better
        tiles: how many times as fine the network sees the photo, in overlapping tiles, for more detail: 2 takes 9
            tiles, 4 takes 49; auto is as fine as the photo, up to 4
        upsample: how depth comes to the photo's size: guided puts its edges on edges of the photo, bilinear blurs them
        overwrite: replace results that exist; without it they are kept and the photo counts as skipped
        camera: name of the camera, instead of EXIF: kinect-v1, kinect-v2, azure-kinect, realsense-d435, iphone-12 to
            iphone-15, iphone-14-pro, iphone-15-pro, iphone-ultra-wide
        fov: horizontal field of view of the camera in degrees, instead of EXIF
        focal_35mm: 35mm-equivalent focal length of the camera in millimetres, instead of EXIF
        focal_px: focal length of the camera in pixels of the upright photo, instead of EXIF
        intrinsics: fx fy cx cy of the camera in pixels of the upright photo, instead of EXIF; or fx fy cx cy width
            height of a picture of the same shape
        flying_pixels: points that hang between two surfaces are left out, and meshes cut, where the depth is seen
            under a smaller angle than this, in degrees; 0 keeps all points
        normals: points get normals, too
        mesh_step: a mesh keeps every n-th row and column; 0 takes the smallest for at most 500,000 vertices
        device: what runs the model: auto takes a GPU that onnxruntime offers and that works, else onnxruntime on the
            processor (an .xml runs on openvino); or onnxruntime, cuda, coreml, directml, openvino, torch,
            torch:compile, torch:cuda
        threads: processor cores to use for one photo; by default they are shared out
        engine: local works on this machine; ray spreads the photos over a cluster (the one that $RAY_ADDRESS names, or
            the cores of this machine); folders must lie where every machine sees them
        workers: photos to work on at the same time; 0 is one for each core, locally at most eight
    """
    if workers < 0:
        raise UsageError(f"--workers must not be negative, got {workers}")
    chosen = camera_choice(camera, fov, focal_35mm, focal_px, intrinsics)
    space = SpaceOptions(flying_pixels, normals, mesh_step)
    formats = list(dict.fromkeys(format))
    settings = Settings(model, formats, chosen, tta, overwrite, threads, space, device, tiles, upsample)
    known_device(device)
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
