"""Reading frames and measuring them one by one; what is found in a single frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from densedepth.data.inspection.alignment import SUSPECT, Agreement, agree, find_edges
from densedepth.data.inspection.conventions import Conventions, sampled
from densedepth.data.inspection.findings import Finding
from densedepth.data.inspection.matching import Traces, traces_of
from densedepth.data.inspection.sources import Pixels, Source
from densedepth.data.readers.depth_files import picture_header
from densedepth.errors import DenseDepthError
from densedepth.io import read_image
from densedepth.io.opening import one_line
from densedepth.runtime.devices import cores

#: Depth histogram, metres: 10 bins an octave from 5 cm to 200 m.
BIN_EDGES_M = np.geomspace(0.05, 204.8, 121)
_FEW = 0.02

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
T = TypeVar("T")


def no_progress(items: Iterable[Any], what: str) -> Iterable[Any]:
    """A `Progress` that shows nothing."""
    return items


@dataclass(frozen=True)
class Measured:
    """One frame that could be read.

    Attributes:
        number: its place among the items.
        photo_size: (height, width).
        valid_share: pixels with depth.
        values: some of the raw numbers that are depth.
        top: the largest number that is depth, and how many pixels have exactly that.
        valid_pixels: how many have depth.
        histogram: pixels by depth, see `BIN_EDGES_M`.
        agreement: of photo and depth edges; None when the frame has too few depth jumps to be judged.
        traces: its edges in a form small enough to keep, for finding the photo of a depth that has lost it.
    """

    number: int
    photo_size: tuple[int, int]
    valid_share: float
    values: np.ndarray
    top: tuple[float, int]
    valid_pixels: int
    histogram: np.ndarray
    agreement: Agreement | None
    traces: Traces


def in_threads(work: Callable[[int], T], numbers: Sequence[int], progress: Progress, what: str) -> Iterator[T]:
    """`work` of each number, in order. Decoders and Fourier transforms let other threads run."""
    with ThreadPoolExecutor(max_workers=min(8, cores())) as pool:
        yield from progress(_Sized(pool.map(work, numbers), len(numbers)), what)


class _Sized:
    """An iterator with a length, for the progress bar."""

    def __init__(self, items: Iterator[Any], length: int) -> None:
        self._items, self._length = items, length

    def __iter__(self) -> Iterator[Any]:
        return self._items

    def __len__(self) -> int:
        return self._length


def read_or_finding(source: Source, number: int) -> Pixels | Finding:
    """The pixels, or what stands in their way."""
    item = source.items[number]
    try:
        return source.pixels(number)
    except (DenseDepthError, OSError, MemoryError) as error:
        text = one_line(error)
        files = [str(file) for file in (item.depth, item.photo) if file is not None]
        where = next((file for file in files if text.startswith(file)), item.where)
        code = "refused" if item.depth is None else "wrong-type" if _is_coloured(item.depth, where) else "unreadable"
        return Finding(code, where, text.removeprefix(f"{where}: "), number)


def _is_coloured(depth: Path, where: str) -> bool:
    """Whether the trouble is a depth file that is a whole picture in colour."""
    header = picture_header(depth) if where == str(depth) else None
    if header is None or header[0] not in ("RGB", "RGBA", "P", "CMYK", "LA", "PA"):
        return False
    try:
        read_image(depth)
    except DenseDepthError:
        return False
    return True


def measure(source: Source, number: int, conventions: Conventions) -> tuple[Measured | None, list[Finding]]:
    """Read one frame and look at it.

    Returns:
        The measurements, None where the frame cannot be read or holds no usable depth; and what is wrong with it.
    """
    pixels = read_or_finding(source, number)
    if isinstance(pixels, Finding):
        return None, [pixels]
    where = str(source.items[number].depth or source.items[number].where)
    findings = [Finding(code, where, what, number) for code, what in _faults(pixels, conventions)]
    image, values = pixels.image, pixels.values
    valid = conventions.valid(values)
    if values.dtype != conventions.dtype or image.shape[:2] != values.shape or not valid.any():
        return None, findings
    usable = values[valid]
    top = float(usable.max())
    count = int(np.count_nonzero(usable == top))
    scaled = np.clip(usable * np.float64(conventions.metres_per_unit), BIN_EDGES_M[0], BIN_EDGES_M[-1])
    histogram = np.histogram(scaled, BIN_EDGES_M)[0]
    edges = find_edges(image, values, valid)
    agreement = agree(edges) if edges.judgeable else None
    unmatched = agreement is not None and agreement.here < SUSPECT and agreement.verdict in (None, "shifted")
    return (
        Measured(
            number,
            (image.shape[0], image.shape[1]),
            float(valid.mean()),
            sampled(usable),
            (top, count),
            usable.size,
            histogram,
            agreement,
            traces_of(edges, unmatched),
        ),
        findings,
    )


def _faults(pixels: Pixels, conventions: Conventions) -> Iterator[tuple[str, str]]:
    """(code, sentence) of what is wrong with one frame by itself."""
    image, values = pixels.image, pixels.values
    height, width = values.shape
    if image.shape[:2] != values.shape:
        yield "size-mismatch", f"depth is {width}x{height}, its photo {image.shape[1]}x{image.shape[0]}"
    odd = int(np.count_nonzero(~np.isfinite(values)))
    if odd and not np.isnan(conventions.invalid):
        yield "nan", f"{odd} of {values.size} pixels are NaN or infinite"
    negative = int(np.count_nonzero((values < 0) & (values != conventions.invalid)))
    if negative:
        yield "negative", f"{negative} of {values.size} pixels are negative, down to {np.nanmin(values):g}"
    valid = conventions.valid(values)
    share = float(valid.mean())
    if not valid.any():
        yield "no-depth", "no pixel has a depth"
    elif values[valid].min() == values[valid].max() and valid.sum() > 1:
        yield "constant", f"every pixel with depth has the same number, {values[valid][0]:g}"
    elif share < _FEW:
        yield "few-pixels", f"only {100 * share:.2g} % of the pixels have depth"
