"""Many photos: what is done to each, one line each, and a summary."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.engines import Engine, on_ray
from densedepth.commands.outputs import OUTPUTS, output_path
from densedepth.errors import DenseDepthError
from densedepth.io import read_photo
from densedepth.runtime import load
from densedepth.types import Camera, DepthMap

Job = tuple[Path, Path]
"""A photo, and the path of its results without their endings."""


@dataclass(frozen=True)
class Settings:
    """How to treat every photo of one run.

    Attributes:
        model: name, bundle or checkpoint folder.
        formats: names in `OUTPUTS`.
        focal_35mm: 35mm-equivalent focal length in millimetres, where the user knows it.
        fov: horizontal field of view in degrees, where the user knows it.
        tta: average with the mirrored photo.
        overwrite: replace results that exist.
        threads: cores for one prediction.

    Raises:
        UsageError: both say the camera, or one is out of range.
    """

    model: str
    formats: list[str]
    focal_35mm: float | None = None
    fov: float | None = None
    tta: bool = False
    overwrite: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.focal_35mm is not None and self.fov is not None:
            raise UsageError("--focal-35mm and --fov say the same thing: give one of them")
        if self.focal_35mm is not None and not (math.isfinite(self.focal_35mm) and self.focal_35mm > 0):
            raise UsageError(f"--focal-35mm must be positive millimetres, got {self.focal_35mm}")
        if self.fov is not None and not 0 < self.fov < 180:
            raise UsageError(f"--fov must lie between 0 and 180 degrees, got {self.fov}")

    def camera_for(self, width: int, height: int) -> Camera | None:
        """The camera that the options mean for a picture of this size; None leaves it to EXIF or an assumption."""
        if self.fov is not None:
            return Camera.from_fov(width, height, self.fov)
        return None if self.focal_35mm is None else Camera.from_focal_35mm(width, height, self.focal_35mm)


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: a line for people, and what the summary counts."""

    line: str
    failed: bool = False
    skipped: bool = False
    range_m: tuple[float, float] | None = None
    assumed_35mm: float | None = None


class PhotoPredictor:
    """Predicts photo after photo with one model; what can go wrong with a photo is in its outcome."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.estimator = load(settings.model, threads=settings.threads)

    def __call__(self, job: Job) -> Outcome:
        file, stem = job
        try:
            return self._outcome(file, stem)
        except (DenseDepthError, OSError, MemoryError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            return Outcome(f"error: {why if why.startswith(str(file)) else f'{file}: {why}'}", failed=True)

    def _outcome(self, file: Path, stem: Path) -> Outcome:
        started_s = time.perf_counter()
        targets = {name: output_path(stem, name) for name in self.settings.formats}
        missing = {name: path for name, path in targets.items() if self.settings.overwrite or not path.exists()}
        if not missing:
            return Outcome(f"{file}: skipped, {_listed(targets.values())} exists", skipped=True)
        photo = read_photo(file)
        height, width = photo.image.shape[:2]
        camera = self.settings.camera_for(width, height)
        depth = self.estimator.predict(photo, camera=camera, tta=self.settings.tta)
        for name, path in missing.items():
            OUTPUTS[name][1](depth, path)
        near_m, far_m = depth.range_m or (0.0, 0.0)
        seconds = time.perf_counter() - started_s
        return Outcome(
            f"{file} -> {_listed(missing.values())}  ({near_m:.2f} to {far_m:.2f} m, {seconds:.1f} s)",
            range_m=depth.range_m,
            assumed_35mm=_assumed_35mm(depth),
        )


def predict_all(settings: Settings, jobs: list[Job], tally: Tally, engine: Engine = "local", workers: int = 0) -> None:
    """Predict every photo; a line for each, failures on stderr."""
    outcomes: Iterable[Outcome]
    if engine == "ray":
        outcomes = (outcome for _, outcome in on_ray(partial(PhotoPredictor, settings), jobs, workers))
    else:
        outcomes = map(PhotoPredictor(settings), jobs)
    # None: a bar on a terminal, nothing in a log file.
    quiet = None if len(jobs) > 1 else True
    for outcome in tqdm(outcomes, total=len(jobs), unit="photo", file=sys.stderr, disable=quiet):
        tally.add(outcome)
        tqdm.write(outcome.line, file=sys.stderr if outcome.failed else sys.stdout)


@dataclass
class Tally:
    """What happened to the inputs of one run."""

    predicted: int = 0
    skipped: int = 0
    failed: int = 0
    left_alone: int = 0
    near_m: float = float("inf")
    far_m: float = 0.0
    assumed: int = 0
    assumed_35mm: float = 0.0
    started_s: float = field(default_factory=time.perf_counter)

    def add(self, outcome: Outcome) -> None:
        """Count one photo."""
        self.failed += outcome.failed
        self.skipped += outcome.skipped
        self.predicted += not (outcome.failed or outcome.skipped)
        if outcome.range_m is not None:
            self.near_m, self.far_m = min(self.near_m, outcome.range_m[0]), max(self.far_m, outcome.range_m[1])
        if outcome.assumed_35mm is not None:
            self.assumed, self.assumed_35mm = self.assumed + 1, outcome.assumed_35mm

    def summary(self) -> str:
        """One line of counts, range and time, and one on the camera where it had to be assumed."""
        parts = [f"{self.predicted} predicted"]
        if self.skipped:
            parts.append(f"{self.skipped} skipped, results exist (--overwrite replaces them)")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.left_alone:
            parts.append(f"{self.left_alone} files that are no pictures left alone")
        if self.far_m:
            parts.append(f"depth {self.near_m:.2f} to {self.far_m:.2f} m")
        line = f"{'; '.join(parts)}; {time.perf_counter() - self.started_s:.1f} s"
        if self.assumed:
            line += (
                f"\ncamera unknown for {self.assumed}: a 35mm-equivalent focal length of "
                f"{self.assumed_35mm:.0f} mm assumed; --focal-35mm or --fov sets it"
            )
        return line


def _assumed_35mm(depth: DepthMap) -> float | None:
    return depth.camera.focal_35mm if depth.camera is not None and depth.camera_source == "assumed" else None


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in paths)
