"""The studio page and what a person does with it, for tests; `studio_fixtures` has the server and the browser."""

from __future__ import annotations

import math
import time
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
pytest.importorskip("requests", reason="needs the dev extra")
pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")

from conftest import brightness_depth_m
from densedepth.types import Camera
from serving import Running, file_of, picture, serving

# They need `requests`, whose absence is a reason to skip; test files take them from here.
__all__ = ["Running", "file_of", "picture", "serving"]

WIDTH, HEIGHT = 320, 240
CAMERA = Camera(260.0, 260.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
PHONE = {"width": 360, "height": 740}
# Software WebGL draws every pixel on one processor core.
SMALL = {"width": 880, "height": 500}


def steps() -> NDArray[np.uint8]:
    """Sixteen grey squares: sixteen depths, known at every pixel."""
    squares = np.random.default_rng(5).permutation(np.arange(10, 250, 15)).reshape(4, 4)
    grey = np.kron(squares, np.ones((HEIGHT // 4, WIDTH // 4))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


STEPS = steps()
STEPS_M = brightness_depth_m(STEPS)


class Studio:
    """The page and what a person does with it."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.faults: list[str] = []
        self.requests: list[str] = []
        # Listened to from the start: a listener that comes with the key press may come too late to catch the dialog.
        self.choosers: list[Any] = []
        page.on("filechooser", lambda chooser: self.choosers.append(chooser))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        # Every refused request is reported there; and reading a canvas back is slow, which only tests do.
        expected = "Failed to load resource" in message.text or "GPU stall" in message.text
        if message.type in ("error", "warning") and not expected:
            self.faults.append(message.text)

    def file(self, image: NDArray[np.uint8] | bytes, name: str = "photo.png") -> Path:
        path = self.folder / name
        path.write_bytes(image if isinstance(image, bytes) else file_of(image))
        return path

    def add(self, *images: NDArray[np.uint8]) -> None:
        """Choose files, and wait for the depth of the first."""
        self.page.set_input_files("#files", [self.file(image, f"photo{i}.png") for i, image in enumerate(images)])
        self.page.wait_for_selector("#download:enabled")

    def chooser(self) -> Any:
        """The dialog for files that the page has opened."""
        self._wait(lambda: self.choosers, "the page opens no dialog for files")
        return self.choosers.pop()

    def choose(self, name: str, value: str) -> None:
        """A radio button, by its words."""
        self.page.locator(f'input[name="{name}"][value="{value}"] + span').click()

    def place(self, column: int, row: int, width: int = WIDTH, height: int = HEIGHT) -> tuple[int, int]:
        """A place in the window, in whole pixels as a mouse has them, that lies in this pixel of the picture."""
        self.page.locator("#surface").scroll_into_view_if_needed()
        box = self.page.locator("#surface").bounding_box()
        left, top = box["x"] + column / width * box["width"], box["y"] + row / height * box["height"]
        return math.ceil(left + 1e-3), math.ceil(top + 1e-3)

    def click(self, column: int, row: int, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.page.mouse.click(*self.place(column, row, width, height))

    def measured(self) -> list[float]:
        """The list of measurements, in full precision."""
        return [float(value) for value in self.page.eval_on_selector_all("#list data", "all => all.map(d => d.value)")]

    def until(self, condition: str) -> None:
        """Wait until JavaScript finds this true. (`page.wait_for_function` needs what our policy forbids.)"""
        self._wait(lambda: self.page.evaluate(condition), condition)

    def _wait(self, condition: Callable[[], object], why: str) -> None:
        # Playwright hears of events in its own waiting, which `time.sleep` is not.
        deadline_s = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline_s, why
            self.page.wait_for_timeout(50)

    def canvas(self, name: str) -> NDArray[np.uint8]:
        """The pixels of a canvas that is not drawn by WebGL, (H, W, 4)."""
        url = self.page.evaluate("name => document.getElementById(name).toDataURL()", name)
        return np.asarray(Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("RGBA"))

    def saved(self) -> NDArray[np.int64]:
        """The picture of refocus or ball as its button saves it, (H, W, 3)."""
        with self.page.expect_download() as download:
            self.page.locator('[data-act="save-effect"]:visible').click()
        return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)

    def shot(self, selector: str = "body") -> NDArray[np.uint8]:
        """What a person sees, (H, W, 3)."""
        return np.asarray(Image.open(BytesIO(self.page.locator(selector).screenshot())).convert("RGB"))

    def set_slider(self, name: str, value: float) -> None:
        self.page.eval_on_selector(
            f"#{name}", "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})) }", value
        )

    def answer(self, depth_m: NDArray[np.float32], uncertainty_m: NDArray[np.float32] | None = None) -> None:
        """Let the server say this depth, whatever it is asked."""
        blocks = [depth_m] if uncertainty_m is None else [depth_m, uncertainty_m]
        headers = {
            "X-Depth-Width": str(depth_m.shape[1]),
            "X-Depth-Height": str(depth_m.shape[0]),
            "X-Depth-Focal-Px": "260",
            "X-Depth-Camera-Source": "given",
            "X-Depth-Model": "fixed",
            "X-Depth-Uncertainty": str(len(blocks) - 1),
        }
        body = b"".join(block.astype("<f4").tobytes() for block in blocks)
        self.page.route("**/v1/depth?*", lambda route: route.fulfill(status=200, headers=headers, body=body))


def colours_in(image: NDArray[np.uint8]) -> int:
    """How many different colours a picture has, coarsely: one for a blank page."""
    return len(np.unique(image[..., :3].reshape(-1, 3) // 16, axis=0))
