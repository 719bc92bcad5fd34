"""Many photos, one after the other: results written, one line each, and a summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from densedepth.commands.outputs import OUTPUTS, output_path
from densedepth.errors import DenseDepthError
from densedepth.io import Photo, read_photo
from densedepth.runtime import DepthEstimator
from densedepth.types import Camera, DepthMap


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

    def add(self, depth: DepthMap) -> None:
        """Count one predicted photo."""
        self.predicted += 1
        if depth.range_m is not None:
            self.near_m, self.far_m = min(self.near_m, depth.range_m[0]), max(self.far_m, depth.range_m[1])
        if depth.camera is not None and depth.camera_source == "assumed":
            self.assumed, self.assumed_35mm = self.assumed + 1, depth.camera.focal_35mm

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


@dataclass(frozen=True)
class Batch:
    """How to treat every photo of one run.

    Attributes:
        estimator: the model.
        formats: names in `OUTPUTS`.
        camera_for: the photo's camera where the user knows it, else None (then EXIF or an assumption).
        tta: average with the mirrored photo.
        overwrite: replace results that exist.
    """

    estimator: DepthEstimator
    formats: list[str]
    camera_for: Callable[[Photo], Camera | None] = lambda photo: None
    tta: bool = False
    overwrite: bool = False

    def run(self, jobs: Iterable[tuple[Path, Path]], tally: Tally) -> None:
        """Predict each (photo, output path without ending); failures are one line each."""
        jobs = list(jobs)
        # None: a bar on a terminal, nothing in a log file.
        for file, stem in tqdm(jobs, unit="photo", file=sys.stderr, disable=None if len(jobs) > 1 else True):
            try:
                line = self._one(file, stem, tally)
            except (DenseDepthError, OSError, MemoryError) as error:
                tally.failed += 1
                why = " ".join(str(error).split()) or type(error).__name__
                tqdm.write(f"error: {why if why.startswith(str(file)) else f'{file}: {why}'}", file=sys.stderr)
            else:
                tqdm.write(line, file=sys.stdout)

    def _one(self, file: Path, stem: Path, tally: Tally) -> str:
        started_s = time.perf_counter()
        targets = {name: output_path(stem, name) for name in self.formats}
        missing = {name: path for name, path in targets.items() if self.overwrite or not path.exists()}
        if not missing:
            tally.skipped += 1
            return f"{file}: skipped, {_listed(targets.values())} exists"
        photo = read_photo(file)
        depth = self.estimator.predict(photo, camera=self.camera_for(photo), tta=self.tta)
        for name, path in missing.items():
            OUTPUTS[name][1](depth, path)
        tally.add(depth)
        near_m, far_m = depth.range_m or (0.0, 0.0)
        seconds = time.perf_counter() - started_s
        return f"{file} -> {_listed(missing.values())}  ({near_m:.2f} to {far_m:.2f} m, {seconds:.1f} s)"


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(str(path) for path in paths)
