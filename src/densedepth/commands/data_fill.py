"""`densedepth data fill`: a data set again, with depth at every pixel."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from tqdm import tqdm

from densedepth.commands import UsageError
from densedepth.commands.arguments import NO_OPTIONS
from densedepth.commands.engines import Engine, on_ray
from densedepth.commands.processes import in_processes
from densedepth.data import DepthDataset, Frame, open_dataset
from densedepth.data.fill import fill_depth
from densedepth.data.readers.folder_index import MANIFEST
from densedepth.data.readers.kitti_files import UNITS_PER_METRE
from densedepth.data.readers.manifest import COLUMNS
from densedepth.errors import DataError, DenseDepthError
from densedepth.io import replacing
from densedepth.io.write import is_written
from densedepth.runtime.devices import cores
from densedepth.types import DepthMap

Format = Literal["mm", "kitti", "npz"]

JOURNAL = "fill.jsonl"


@dataclass(frozen=True)
class FillJob:
    """One frame to fill. Holds plain values only, so that it can travel to another process or machine.

    Attributes:
        dataset: name of the layout.
        root: its folder.
        split: of the data set.
        options: of its reader, as JSON.
        index: of the frame.
        image: the photo to write.
        depth: the depth file to write.
        format: of the depth file.
        alpha: see `densedepth.data.fill.fill_depth`.
    """

    dataset: str
    root: str
    split: str
    options: str
    index: int
    image: Path
    depth: Path
    format: Format
    alpha: float


@dataclass(frozen=True)
class FillResult:
    """What became of a frame.

    Attributes:
        scene: of the frame.
        intrinsics: fx, fy, cx, cy in pixels, or None.
        holes: share of the pixels that had no depth.
        error: one line; then the rest means nothing.
    """

    scene: str = ""
    intrinsics: tuple[float, float, float, float] | None = None
    holes: float = 0.0
    error: str | None = None


def fill(
    *,
    root: Path,
    out: Path,
    dataset: str = "folder",
    split: str = "train",
    options: dict[str, Any] = NO_OPTIONS,
    format: Format | None = None,
    alpha: float = 1.0,
    workers: int = 0,
    engine: Engine = "local",
    overwrite: bool = False,
) -> int:
    """Fill the holes in the depth of a data set, for losses that need depth everywhere.

    Writes a folder that --dataset folder reads: images/NUMBER.png, depth/NUMBER.png and, at the end, manifest.csv.
    Depth that was known is kept; what is filled in is smooth where the photo is. Do not evaluate on filled depth.

    A run that was interrupted goes on where it was when the same command is given again. A frame that fails is named
    in one line and the others go on; the exit status is 1 then.

    Args:
        root: folder of the data set; for frames of your own, the folder with photos and depth files
        out: folder for the result
        dataset: layout of the data set
        split: part of the data set
        options: of the data set's reader, by name, such as --options.metres_per_unit 0.001
        format: mm (16-bit PNG, millimetres, up to 65 m), kitti (16-bit PNG, 256 per metre, up to 255 m) or npz (float
            metres); by default kitti for the KITTI sets and mm for others
        alpha: how strongly known depth holds against its neighbours
        workers: processes, each with about 0.5 GB for a KITTI frame; 0 takes one for each core
        engine: local takes processes of this machine; ray a cluster (the one that $RAY_ADDRESS names, or the cores of
            this machine), whose machines must all see both folders
        overwrite: do all frames again; without it those that are done are kept
    """
    if not (np.isfinite(alpha) and alpha > 0):
        raise UsageError(f"--alpha must be a positive number, got {alpha}")
    if workers < 0:
        raise UsageError(f"--workers must not be negative, got {workers}")
    if out.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"--out {out} lies in the data set, which would then hold its own result; choose another place"
        )
    started_s = time.perf_counter()
    root, out = root.absolute(), out.absolute()
    format = format or ("kitti" if dataset.startswith("kitti") else "mm")
    frames = open_dataset(dataset, root, split, **options)
    settings: dict[str, Any] = {"dataset": dataset, "root": str(root.resolve()), "split": split, "options": options}
    settings |= {"frames": len(frames), "format": format, "alpha": alpha}
    rows = _start_journal(out, settings, overwrite)
    suffix = "npz" if format == "npz" else "png"
    jobs = [
        FillJob(dataset, str(root), split, json.dumps(options, sort_keys=True), index, image, depth, format, alpha)
        for index in range(len(frames))
        for image, depth in [(out / f"images/{index:06d}.png", out / f"depth/{index:06d}.{suffix}")]
        if index not in rows or not (is_written(image) and is_written(depth))
    ]
    failed, holes = _fill_all(jobs, rows, out / JOURNAL, engine, workers)
    if rows:
        _write_manifest(out / MANIFEST, [rows[index] for index in sorted(rows)])
    kept, filled = len(frames) - len(jobs), len(jobs) - failed
    parts = [f"{filled} filled" + (f", {holes / filled:.1%} of their pixels were holes" if filled else "")]
    parts += [f"{kept} kept, done before (--overwrite does them again)"] if kept else []
    parts += [f"{failed} failed"] if failed else []
    print(f"{'; '.join(parts)}; {time.perf_counter() - started_s:.1f} s")
    if rows:
        scale = f" --options.metres_per_unit {1 / UNITS_PER_METRE}" if format == "kitti" else ""
        print(f"read it with: --dataset folder --root {out}{scale}")
    return 1 if failed else 0


def _fill_all(
    jobs: list[FillJob], rows: dict[int, dict[str, Any]], journal: Path, engine: Engine, workers: int
) -> tuple[int, float]:
    """Do all jobs; those that are done get a row and a line in the journal. Gives how many failed, and the sum of the
    shares of holes."""
    failed, holes = 0, 0.0
    # Processes share the cores already; more threads in each would only be in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    done: Iterator[tuple[FillJob, FillResult | None]]
    if engine == "ray":
        done = on_ray(lambda: fill_one, jobs, workers)
    else:
        done = in_processes(fill_one, jobs, workers or cores())
    with journal.open("a", encoding="utf-8") as lines:
        # None: a bar on a terminal, nothing in a log file.
        for job, result in tqdm(done, total=len(jobs), unit="frame", file=sys.stderr, disable=None):
            result = result or FillResult(error=f"{job.depth}: its process was killed (memory?); run the command again")
            if result.error:
                failed += 1
                tqdm.write(f"error: {result.error}", file=sys.stderr)
                continue
            rows[job.index] = _row(job, result)
            holes += result.holes
            lines.write(json.dumps({"index": job.index, **rows[job.index]}) + "\n")
            lines.flush()
    return failed, holes


def fill_one(job: FillJob) -> FillResult:
    """Fill one frame and write its two files, each whole or not at all; what goes wrong is in the result."""
    try:
        frame = _opened(job.dataset, job.root, job.split, job.options)[job.index]
        depth_m = fill_depth(frame.image, frame.depth_m, job.alpha)
        with replacing(job.image) as temporary:
            Image.fromarray(frame.image).save(temporary, "PNG", compress_level=3)
        _write_depth(depth_m, frame, job)
    except (DenseDepthError, OSError, MemoryError) as error:
        return FillResult(error=" ".join(f"{job.dataset} frame {job.index}: {error!s}".split()))
    camera = frame.camera
    intrinsics = None if camera is None else (camera.fx, camera.fy, camera.cx, camera.cy)
    return FillResult(frame.scene, intrinsics, 1 - float(np.mean(frame.depth_m > 0)))


@lru_cache(maxsize=1)
def _opened(dataset: str, root: str, split: str, options: str) -> DepthDataset:
    """Once a process, not once a frame; what readers remark on opening was said when the command opened it."""
    with redirect_stderr(StringIO()):
        return open_dataset(dataset, root, split, **json.loads(options))


def _write_depth(depth_m: np.ndarray, frame: Frame, job: FillJob) -> None:
    if job.format != "kitti":
        DepthMap(depth_m, camera=frame.camera, camera_source="given" if frame.camera else None).save(job.depth)
        return
    units = np.rint(depth_m * np.float64(UNITS_PER_METRE))
    if units.max() > 65535 or units.min() < 1:
        raise DataError(
            f"{frame.key}: {depth_m.min():.3f} to {depth_m.max():.3f} m does not fit 16 bit at 256 per metre; "
            "use --format npz"
        )
    with replacing(job.depth) as temporary:
        Image.fromarray(units.astype(np.uint16)).save(temporary, "PNG", compress_level=3)


def _row(job: FillJob, result: FillResult) -> dict[str, Any]:
    """The frame's line of the manifest."""
    names = [f"{path.parent.name}/{path.name}" for path in (job.image, job.depth)]
    values = (*names, result.scene, job.split, *(result.intrinsics or ("",) * 4))
    return dict(zip(COLUMNS, values, strict=True))


def _start_journal(out: Path, settings: dict[str, Any], overwrite: bool) -> dict[int, dict[str, Any]]:
    """The lines of frames that an earlier run of the same settings has done, by frame; the journal is there then.

    Raises:
        DataError: the folder holds the result of other settings, or files of someone else.
    """
    path = out / JOURNAL
    rows: dict[int, dict[str, Any]] = {}
    if path.is_file() and not overwrite:
        before, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        if lines and before != json.dumps(settings):
            raise DataError(f"{path}: another data set or other options; choose another --out, or pass --overwrite")
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:  # cut short when the run was killed; its frame is done again
                continue
            rows[row.pop("index")] = row
    elif not path.is_file() and any((out / name).exists() for name in (MANIFEST, "images", "depth")):
        raise DataError(f"{out}: holds files that are not of this command; choose another --out")
    # What a process left that was killed while it wrote.
    for leftover in out.glob("*/.densedepth-*"):
        leftover.unlink()
    # A manifest is only there when a run has come to its end.
    (out / MANIFEST).unlink(missing_ok=True)
    with replacing(path) as temporary:
        text = [json.dumps(settings), *(json.dumps({"index": index, **row}) for index, row in rows.items())]
        temporary.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    return rows


def _write_manifest(path: Path, rows: list[dict[str, Any]]) -> None:
    # Intrinsics are a column of all frames or of none.
    names = [name for name in COLUMNS if any(row[name] != "" for row in rows)]
    text = StringIO()
    table = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
