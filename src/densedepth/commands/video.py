"""`densedepth video`: a video to the video of its depth."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm import tqdm

from densedepth.commands import INTERRUPTED, UsageError
from densedepth.commands.cameras import NO_NUMBERS, camera_choice
from densedepth.runtime import load
from densedepth.runtime.devices import AUTO

if TYPE_CHECKING:
    from densedepth.runtime.video import Converted


def video(
    input: Path,
    *,
    out: Path,
    depth_out: Path | None = None,
    model: str = "nyu",
    layout: Literal["side-by-side", "overlay", "depth"] = "side-by-side",
    range: list[float] = NO_NUMBERS,
    smoothing: float = 0.8,
    every: int = 1,
    limit: int | None = None,
    overwrite: bool = False,
    camera: str | None = None,
    fov: float | None = None,
    focal_35mm: float | None = None,
    focal_px: float | None = None,
    intrinsics: list[float] = NO_NUMBERS,
    device: str = AUTO,
    threads: int | None = None,
) -> int:
    """Predict the depth of a video, in metres.

    Writes H.264 with the times and the sound of the original. One scale of colours holds for the whole clip and stands
    below it. Ctrl-C finishes the file as far as it is.

    Args:
        input: the video
        out: result, .mp4, .m4v, .mov or .mkv
        depth_out: also write the depth itself: .mkv, 16-bit millimetres, lossless (FFV1)
        model: name of a shipped model (see densedepth models), a bundle (.onnx), a checkpoint folder, or hf:user/repo
        layout: frame beside coloured depth, both in one, or depth alone
        range: nearest and farthest metres of the colours, e.g. 0.5 8; by default some frames are looked at first
        smoothing: weight of the past where nothing moves, 0 (none) to 1; it starts anew at cuts
        every: only each n-th frame
        limit: at most this many frames
        overwrite: replace results that exist
        camera: name of the camera, see densedepth predict --help
        fov: horizontal field of view of the camera in degrees
        focal_35mm: 35mm-equivalent focal length of the camera in millimetres
        focal_px: focal length of the camera in pixels of the upright frame
        intrinsics: fx fy cx cy of the camera in pixels of the upright frame, also followed by width height
        device: what runs the model, see densedepth predict --help
        threads: processor cores to use for one frame; all by default
    """
    from densedepth.runtime.video import VIDEO_SUFFIXES, ClipOptions, convert_video

    chosen = camera_choice(camera, fov, focal_35mm, focal_px, intrinsics)
    checked_numbers(smoothing, every, limit)
    range_m = checked_range(range)
    _check_outputs(input, out, VIDEO_SUFFIXES, overwrite)
    if depth_out is not None:
        _check_outputs(input, depth_out, (".mkv",), overwrite)
        if depth_out.absolute() == out.absolute():
            raise UsageError("--out and --depth-out name the same file: give two")

    options = ClipOptions(layout, range_m, smoothing, limit, every, chosen.camera_for)
    estimator = load(model, device=device, threads=threads)
    print(f"device: {estimator.device}", file=sys.stderr)
    with _interruptible() as interrupted, tqdm(unit="frame", file=sys.stderr, disable=None, leave=False) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            result = convert_video(
                input, out, estimator, options, depth_out=depth_out, stopped=interrupted.is_set, progress=progress
            )
        except Exception:
            if interrupted.is_set():
                raise KeyboardInterrupt from None
            raise
    return _reported(result, input, f"{out}" if depth_out is None else f"{out}, {depth_out}")


def _reported(result: Converted, source: Path, names: str) -> int:
    """Say what became of the clip; gives the exit status."""
    near_m, far_m = result.range_m
    print(
        f"{source} -> {names}  ({result.frames} frames, colours {near_m:.1f} to {far_m:.1f} m; {result.seconds:.1f} s, "
        f"{result.frames / result.seconds:.1f} frames/s)"
    )
    for remark in result.remarks:
        print(remark)
    if result.assumed_35mm is not None:
        print(
            f"camera unknown: a 35mm-equivalent focal length of {result.assumed_35mm:.0f} mm assumed; "
            "--camera, --fov or --focal-35mm sets it"
        )
    if result.interrupted:
        print(f"interrupted: {names} is complete up to there and can be played", file=sys.stderr)
        return INTERRUPTED
    if result.problem:
        print(f"warning: {source}: {result.problem}; what was readable is written", file=sys.stderr)
        return 1
    return 0


def checked_range(values: list[float]) -> tuple[float, float] | None:
    """The two metres of --range, or None where it was not given."""
    if not values:
        return None
    if len(values) != 2 or not all(math.isfinite(value) for value in values) or not 0 <= values[0] < values[1]:
        given = " ".join(f"{value:g}" for value in values)
        raise UsageError(f"--range takes two depths in metres, the nearer first, e.g. 0.5 8, got {given}")
    return values[0], values[1]


def checked_numbers(smoothing: float, every: int, limit: int | None) -> None:
    """Say what is wrong with --smoothing, --every or --limit. Raises UsageError."""
    if not 0 <= smoothing <= 1:
        raise UsageError(f"--smoothing must lie between 0 and 1, got {smoothing}")
    if every < 1:
        raise UsageError(f"--every must be at least 1, got {every}")
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, got {limit}")


def _check_outputs(source: Path, out: Path, suffixes: tuple[str, ...], overwrite: bool) -> None:
    if out.suffix.lower() not in suffixes:
        raise UsageError(f"{out}: cannot write '{out.suffix}'; name it {' or '.join(suffixes)}")
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(f"{out}: this is the input; give the result another name")
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: exists; --overwrite replaces it")


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """The first ctrl-C only sets the event, so that files can be finished; a second one ends at once."""
    event = threading.Event()

    def note(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
