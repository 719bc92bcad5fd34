"""Many photos: what is done to each, one line each, and a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.engines import Budget, Engine, in_threads, on_ray
from densedepth.commands.outputs import OUTPUTS, SpaceOptions, output_path
from densedepth.errors import DenseDepthError
from densedepth.io import CameraChoice, read_photo
from densedepth.io.opening import one_line, open_picture
from densedepth.io.write import is_written
from densedepth.runtime import load
from densedepth.runtime.devices import AUTO, cores
from densedepth.runtime.tiling import MAX_FACTOR, Tiles
from densedepth.runtime.upsampling import Upsampling
from densedepth.types import DepthMap

Job = tuple[Path, Path]
"""A photo, and the path of its results without their endings."""

MAX_IN_WORK = 8
PIXELS_IN_WORK = 50_000_000
"""Photos that are worked on at the same time have no more pixels than this together, which take about a gigabyte."""


@dataclass(frozen=True)
class Settings:
    """How to treat every photo of one run.

    Attributes:
        model: name, bundle or checkpoint folder.
        formats: names in `OUTPUTS`.
        camera: what the user says about the camera.
        tta: average with the mirrored photo.
        overwrite: replace results that exist.
        threads: cores for one prediction; None shares them out among the photos in work.
        space: how points and meshes are written.
        device: what runs the model.
        tiles: how many times as fine the network sees a photo, or "auto".
        upsample: how depth comes to the photo's size.

    Raises:
        UsageError: a number of tiles that is none.
    """

    model: str
    formats: list[str]
    camera: CameraChoice = field(default_factory=CameraChoice)
    tta: bool = False
    overwrite: bool = False
    threads: int | None = None
    space: SpaceOptions = field(default_factory=SpaceOptions)
    device: str = AUTO
    tiles: Tiles = 1
    upsample: Upsampling = "guided"

    def __post_init__(self) -> None:
        if self.tiles != "auto" and not 1 <= self.tiles <= MAX_FACTOR:
            raise UsageError(f"--tiles must be auto or a whole number from 1 to {MAX_FACTOR}, got {self.tiles}")


@dataclass(frozen=True)
class Outcome:
    """What became of one photo: a line for people, and what the summary counts."""

    line: str
    failed: bool = False
    skipped: bool = False
    range_m: tuple[float, float] | None = None
    assumed_35mm: float | None = None
    device: str | None = None


class PhotoPredictor:
    """Predicts photos with one model; what can go wrong with a photo is in its outcome.

    Several threads may call it: where photos are large, some wait, so that memory stays bounded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.estimator = load(settings.model, device=settings.device, threads=settings.threads)
        self._budget = Budget(PIXELS_IN_WORK)

    def __call__(self, job: Job) -> Outcome:
        file, stem = job
        try:
            return self._outcome(file, stem)
        except (DenseDepthError, OSError, MemoryError) as error:
            why = one_line(error)
            return Outcome(f"error: {why if why.startswith(str(file)) else f'{file}: {why}'}", failed=True)

    def _outcome(self, file: Path, stem: Path) -> Outcome:
        started_s = time.perf_counter()
        targets = {name: output_path(stem, name) for name in self.settings.formats}
        missing = {name: path for name, path in targets.items() if self.settings.overwrite or not is_written(path)}
        if not missing:
            return Outcome(f"{file}: skipped, {_listed(targets.values())} exists", skipped=True)
        with open_picture(file) as picture:
            pixels = picture.width * picture.height
        with self._budget.spent(pixels):
            return self._predicted(file, missing, started_s)

    def _predicted(self, file: Path, missing: dict[str, Path], started_s: float) -> Outcome:
        photo = read_photo(file)
        height, width = photo.image.shape[:2]
        camera = self.settings.camera.camera_for(width, height)
        depth = self.estimator.predict(
            photo,
            camera=camera,
            tta=self.settings.tta,
            tiles=self.settings.tiles,
            upsample=self.settings.upsample,
            progress=partial(tqdm, unit="tile", desc=file.name, file=sys.stderr, leave=False, disable=None),
        )
        for name, path in missing.items():
            OUTPUTS[name][1](depth, path, self.settings.space)
        near_m, far_m = depth.range_m or (0.0, 0.0)
        seconds = time.perf_counter() - started_s
        return Outcome(
            f"{file} -> {_listed(missing.values())}  ({near_m:.2f} to {far_m:.2f} m, {seconds:.1f} s)",
            range_m=depth.range_m,
            assumed_35mm=_assumed_35mm(depth),
            device=self.estimator.device,
        )


def predict_all(settings: Settings, jobs: list[Job], tally: Tally, engine: Engine = "local", workers: int = 0) -> None:
    """Predict every photo; a line for each, failures and the device on stderr.

    On this machine each of `workers` threads (0: one for each core, but not more than eight) reads, predicts and
    writes a photo of its own, which keeps the cores busier than stages that wait for each other.
    """
    outcomes: Iterable[Outcome]
    if engine == "ray":  # each of its workers has one core
        settings = replace(settings, threads=settings.threads or 1)
        outcomes = (outcome for _, outcome in on_ray(partial(PhotoPredictor, settings), jobs, workers))
    else:
        workers = workers or min(MAX_IN_WORK, max(1, cores() // (settings.threads or 1)))
        workers = min(workers, len(jobs))
        if workers > 1 and settings.threads is None:
            settings = replace(settings, threads=max(1, cores() // workers))
        outcomes = in_threads(PhotoPredictor(settings), jobs, workers)
    # None: a bar on a terminal, nothing in a log file.
    quiet = None if len(jobs) > 1 else True
    devices: set[str | None] = {None}
    for outcome in tqdm(outcomes, total=len(jobs), unit="photo", file=sys.stderr, disable=quiet):
        tally.add(outcome)
        if outcome.device not in devices:
            devices.add(outcome.device)
            tqdm.write(f"device: {outcome.device}", file=sys.stderr)
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
                f"{self.assumed_35mm:.0f} mm assumed; --camera, --fov or --focal-35mm sets it"
            )
        return line


def _assumed_35mm(depth: DepthMap) -> float | None:
    return depth.camera.focal_35mm if depth.camera is not None and depth.camera_source == "assumed" else None


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in paths)
