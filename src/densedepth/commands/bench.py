"""`densedepth bench`: models and devices side by side, in one run."""

from __future__ import annotations

import json as json_format
import platform
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from densedepth import __version__
from densedepth.commands import UsageError
from densedepth.commands.arguments import NO_OPTIONS, picture_size
from densedepth.commands.contest import Contestant
from densedepth.data import open_dataset
from densedepth.errors import DenseDepthError
from densedepth.io import replacing
from densedepth.runtime import available
from densedepth.runtime.devices import bundle_bytes, cores, installed, known_device, nvidia_driver
from densedepth.runtime.zoo import BUNDLES_DIR

MODELS = ["nyu"]
SIZES = ["320x240", "640x480"]
INSTALLED: list[str] = []
NO_MODELS: list[str] = []
PACKAGES = ("numpy", "onnxruntime", "openvino", "torch")


@dataclass
class Row:
    """One model on one device at one size.

    Attributes:
        load_s: seconds to import the runtime and get the model ready.
        median_ms, p95_ms: time of one picture.
        images_per_s: from the median.
        times_as_fast: as the first row of this size; the median over rounds of the ratio of neighbours in time.
        processor_ms: median processor time of one picture, all threads together.
        peak_mb: most memory of the process so far; sizes run from small to large.
        model_mb: size of the model's files.
        delta1: see `Contestant.delta1`; None without ground truth.
        seconds: every round.
    """

    model: str
    device: str
    width: int
    height: int
    load_s: float
    median_ms: float
    p95_ms: float
    images_per_s: float
    times_as_fast: float
    processor_ms: float
    peak_mb: float | None
    model_mb: float
    delta1: float | None = None
    seconds: list[float] = field(default_factory=list)


def bench(
    model: list[str] = MODELS,
    random: list[str] = NO_MODELS,
    sizes: list[str] = SIZES,
    devices: list[str] = INSTALLED,
    rounds: int = 20,
    threads: int | None = None,
    dataset: str = "nyu",
    root: Path | None = None,
    options: dict[str, Any] = NO_OPTIONS,
    limit: int | None = None,
    json: Path | None = None,
) -> int:
    """Measure models on the devices that are installed: time, memory, size, and quality where ground truth is given.

    Every model on every device has a process of its own, and they take turns picture by picture: what disturbs the
    machine disturbs all of them. A combination that does not run is named, and the others go on.

    Args:
        model: names of shipped models, bundles (.onnx, .xml) or checkpoint folders
        random: networks with random weights, to measure instead of --model, as ENCODER:PRESET such as
            densenet169:paper
        sizes: sizes of picture, WIDTHxHEIGHT
        devices: what to run on (onnxruntime, cuda, coreml, directml, openvino, torch, torch:compile, torch:cuda); all
            installed ones by default
        rounds: timed pictures for each row, after two that are not timed
        threads: processor cores for one picture; all by default
        dataset: layout of the data set for delta1
        root: folder of the data set; without it there is no delta1
        options: of the data set's reader, by name, such as --options.metres_per_unit 0.001
        limit: at most so many images for delta1, evenly spread
        json: write the table with every time here, too
    """
    pixels = sorted((picture_size(size) for size in sizes), key=lambda size: size[0] * size[1])
    if rounds < 2:
        raise UsageError(f"--rounds must be at least 2, got {rounds}")
    if root is not None:  # before minutes of measuring
        open_dataset(dataset, root, "test", **options)
    names = [known_device(name) for name in devices] or _installed()
    threads = threads or cores()
    with ExitStack() as stack:
        # The file is begun now: what stands in its way is told before minutes of measuring.
        beside = None if json is None else stack.enter_context(replacing(json))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = {spec: _random_bundle(spec, folder) for spec in random} or {name: _bundle(name) for name in model}
        paths = {name: _exported(path, folder) for name, path in paths.items()}
        rows, left_out = _contest(paths, names, pixels, rounds, threads, (dataset, root, options, limit))
        if not rows:
            raise DenseDepthError("nothing could be measured")
        about = {
            "machine": _machine(),
            "threads": threads,
            "rounds": rounds,
            "versions": _versions(),
            "delta1_of": None if root is None else {"dataset": dataset, "limit": limit, "tta": False},
        }
        print(f"{about['machine']}; {threads} threads; {', '.join(f'{n} {v}' for n, v in _versions().items())}")
        print(_table(rows))
        if beside is not None:
            text = json_format.dumps({**about, "rows": [asdict(row) for row in rows], "left_out": left_out}, indent=1)
            beside.write_text(text + "\n")
    if json is not None:
        print(f"written: {json}")
    return 0


def _installed() -> list[str]:
    names = installed()
    if "torch" in names:
        names += ["torch:compile", *(["torch:cuda"] if nvidia_driver() else [])]
    return names


def _contest(
    paths: dict[str, Path],
    devices: list[str],
    sizes: list[tuple[int, int]],
    rounds: int,
    threads: int,
    truth: tuple[str, Path | None, dict[str, Any], int | None],
) -> tuple[list[Row], list[str]]:
    """The rows, and a line for every combination that did not run."""
    entered: dict[tuple[str, str], Contestant] = {}
    rows: list[Row] = []
    left_out: list[str] = []

    def leave_out(key: tuple[str, str], problem: DenseDepthError) -> None:
        left_out.append(f"{key[0]} on {key[1]}: {str(problem).removeprefix(f'{paths[key[0]]}: ')}")
        print(f"left out: {left_out[-1]}", file=sys.stderr)
        entered.pop(key, None)

    try:
        for key in [(name, device) for name in paths for device in devices]:
            try:
                entered[key] = Contestant(str(paths[key[0]]), key[1], threads)
            except DenseDepthError as problem:
                leave_out(key, problem)
        for width, height in sizes:
            seconds: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in entered}
            for turn in range(-1, rounds):
                for key, contestant in list(entered.items()):
                    try:
                        if turn < 0:
                            contestant.warm_up(width, height)
                        else:
                            seconds[key].append(contestant.time())
                    except DenseDepthError as problem:
                        leave_out(key, problem)
            first = next((key for key in entered), None)
            for key, contestant in entered.items():
                clock_s, processor_s = np.array(seconds[key]).T
                median_s = float(np.median(clock_s))
                rows.append(
                    Row(
                        *key,
                        width,
                        height,
                        load_s=contestant.load_s,
                        median_ms=median_s * 1000,
                        p95_ms=float(np.percentile(clock_s, 95)) * 1000,
                        images_per_s=1 / median_s,
                        times_as_fast=float(np.median(np.array(seconds[first])[:, 0] / clock_s)) if first else 1.0,
                        processor_ms=float(np.median(processor_s)) * 1000,
                        peak_mb=contestant.peak_mb(),
                        model_mb=bundle_bytes(paths[key[0]]) / 1e6,
                        seconds=clock_s.tolist(),
                    )
                )
        dataset, root, options, limit = truth
        if root is not None:
            for key, contestant in list(entered.items()):
                delta1 = contestant.delta1(dataset, root, options, limit)
                for row in rows:
                    row.delta1 = delta1 if (row.model, row.device) == key else row.delta1
    finally:
        for contestant in entered.values():
            contestant.close()
    return rows, left_out


def _bundle(name: str) -> Path:
    return BUNDLES_DIR / f"{name}.onnx" if name in available() else Path(name)


def _exported(path: Path, folder: Path) -> Path:
    """A checkpoint as a bundle, which every device can take."""
    if not path.is_dir():
        return path
    from densedepth.export import export_checkpoint

    return export_checkpoint(path, folder / f"{path.resolve().name}.onnx", half_weights=False)


def _random_bundle(spec: str, folder: Path) -> Path:
    """A checkpoint of a network that was never trained."""
    from densedepth.models import DenseDepth, save_checkpoint

    encoder, _, preset = spec.partition(":")
    net = DenseDepth(encoder=encoder, preset=preset or "half")  # type: ignore[arg-type]  # it says what it knows
    return save_checkpoint(net, folder / f"random-{encoder}-{preset}".replace("/", "-"))


def _machine() -> str:
    """The processor's name and how many cores of it are ours."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{name or platform.processor() or platform.machine()}, {cores()} cores, {platform.system()}"


def _versions() -> dict[str, str]:
    versions = {"densedepth": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _table(rows: list[Row]) -> str:
    head = ["model", "device", "size", "load s", "median ms", "p95 ms", "images/s", "x first", "cpu ms", "peak MB"]
    head += ["model MB", "delta1"]
    lines = [head]
    for row in rows:
        lines.append(
            [
                row.model,
                row.device,
                f"{row.width}x{row.height}",
                f"{row.load_s:.2f}",
                f"{row.median_ms:.1f}",
                f"{row.p95_ms:.1f}",
                f"{row.images_per_s:.1f}",
                f"{row.times_as_fast:.2f}",
                f"{row.processor_ms:.1f}",
                "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
                f"{row.model_mb:.1f}",
                "" if row.delta1 is None else f"{row.delta1:.4f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # Three columns of words, to the left; the others are numbers.
    places = [f"{{:{'<' if number < 3 else '>'}{width}}}" for number, width in enumerate(widths)]
    return "\n".join("  ".join(places).format(*line).rstrip() for line in lines)
