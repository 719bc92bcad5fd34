"""From the bytes of a photo to its depth, in threads beside the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from densedepth.errors import ImageError
from densedepth.io import CameraChoice, Photo, read_photo
from densedepth.io.opening import open_picture
from densedepth.runtime import DepthEstimator
from densedepth.runtime.devices import cores
from densedepth.serve.batching import Batcher, TooLate
from densedepth.serve.problems import Refused
from densedepth.serve.settings import Settings
from densedepth.types import Camera, DepthMap

Result = TypeVar("Result")


@dataclass(frozen=True)
class Question:
    """What a client wants to know of a photo.

    Attributes:
        model: name.
        focal_px: focal length in pixels of the photo as it was sent.
        focal_35mm: 35mm-equivalent focal length in millimetres.
        fov_deg: horizontal field of view of the upright photo, in degrees.
        tta: average with the mirrored photo.
        max_side: pixels of the answer's longer side at most; the photo is shrunk to that first.
    """

    model: str
    focal_px: float | None = None
    focal_35mm: float | None = None
    fov_deg: float | None = None
    tta: bool = False
    max_side: int | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.focal_px, self.focal_35mm, self.fov_deg)) > 1:
            raise Refused(422, "focal_px, focal_35mm and fov_deg say the same thing: give one of them")

    def camera(self, width: int, height: int, reduction: float = 1) -> Camera | None:
        """The camera that the client names, for the photo at `width` x `height`, `reduction` times its first size."""
        focal_px = None if self.focal_px is None else self.focal_px * reduction
        choice = CameraChoice(fov=self.fov_deg, focal_35mm=self.focal_35mm, focal_px=focal_px)
        return choice.camera_for(width, height)


class Photos:
    """The threads that read photos, predict them and put the depth into its form."""

    def __init__(self, batcher: Batcher, settings: Settings) -> None:
        self._batcher = batcher
        self._max_megapixels = settings.max_megapixels
        # As many photos as fill two batches are open at once; most of them wait for the network.
        self._threads = ThreadPoolExecutor(2 * settings.batch, "densedepth-photo")
        self._cores = threading.BoundedSemaphore(cores())

    async def depth(
        self, data: bytes, question: Question, deadline_s: float, finish: Callable[[DepthMap], Result]
    ) -> tuple[DepthMap, Result]:
        """The depth of a photo, and what `finish` makes of it.

        Raises:
            Refused: 413, more megapixels than allowed; 504, later than `deadline_s` by `time.monotonic`.
            DenseDepthError: the photo is damaged, or cannot be answered in this form.
        """
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._work, data, question, deadline_s, finish)
        try:
            async with asyncio.timeout(deadline_s - time.monotonic()):
                return await work
        except (TimeoutError, TooLate) as cause:
            raise Refused(504, "the photo was not done in time; send a smaller one, or try again later") from cause

    def close(self) -> None:
        """Finish what is here and end the threads."""
        self._threads.shutdown()

    def _work(
        self, data: bytes, question: Question, deadline_s: float, finish: Callable[[DepthMap], Result]
    ) -> tuple[DepthMap, Result]:
        _check(deadline_s)
        with self._cores:
            photo, reduction = open_photo(data, self._max_megapixels, question.max_side)
        height, width = photo.image.shape[:2]
        camera = question.camera(width, height, reduction)
        estimator = DepthEstimator(self._batcher.network(question.model, deadline_s))
        depth = estimator.predict(photo, camera=camera, tta=question.tta)
        _check(deadline_s)
        with self._cores:
            result = finish(depth)
        if time.monotonic() > deadline_s and isinstance(result, Path):
            # Nobody is there any more to take it.
            result.unlink(missing_ok=True)
        return depth, result


def open_photo(data: bytes, max_megapixels: float, max_side: int | None) -> tuple[Photo, float]:
    """Decode a photo, no larger than `max_side`; the factor says how large it is beside the file's own size.

    Raises:
        Refused: 413, the header says more than `max_megapixels`; nothing is decoded then.
        ImageError: no picture, or damaged.
    """
    try:
        with open_picture(_named(data)) as header:
            sides = header.size
    except ImageError as error:
        # What is above the limit of the whole package.
        raise (Refused(413, str(error)) if "megapixels" in str(error) else error) from error
    megapixels = sides[0] * sides[1] / 1e6
    if megapixels > max_megapixels:
        raise Refused(413, f"{sides[0]} x {sides[1]} is {megapixels:.0f} megapixels, the limit is {max_megapixels:g}")
    photo = read_photo(_named(data), None if max_side is None else (max_side, max_side))
    height, width = photo.image.shape[:2]
    if max_side is not None and max(height, width) > max_side:
        scale = max_side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = Image.fromarray(photo.image).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        photo = Photo(np.asarray(small), photo.camera and photo.camera.resized(*size))
    return photo, max(photo.image.shape[:2]) / max(sides)


def _named(data: bytes) -> BytesIO:
    """The bytes as a file that messages call "photo"."""
    file = BytesIO(data)
    file.name = "photo"
    return file


def _check(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise TooLate
