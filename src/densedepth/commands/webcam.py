"""`densedepth webcam`: the depth of a camera in a window."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from densedepth.commands.cameras import NO_NUMBERS, camera_choice
from densedepth.commands.video import checked_numbers, checked_range
from densedepth.errors import DenseDepthError
from densedepth.runtime import load
from densedepth.runtime.devices import AUTO


def webcam(
    source: str = "0",
    model: str = "nyu",
    layout: Literal["side-by-side", "overlay", "depth"] = "side-by-side",
    range: list[float] = NO_NUMBERS,
    smoothing: float = 0.8,
    limit: int | None = None,
    camera: str | None = None,
    fov: float | None = None,
    focal_35mm: float | None = None,
    focal_px: float | None = None,
    intrinsics: list[float] = NO_NUMBERS,
    device: str = AUTO,
    threads: int | None = None,
) -> int:
    """Show the depth of a camera, in metres, until the window is closed or q is pressed.

    Args:
        source: number of the camera (0 is the first), its name, or a video file
        model: name of a shipped model (see densedepth models), a bundle (.onnx), a checkpoint folder, or hf:user/repo
        layout: frame beside coloured depth, both in one, or depth alone
        range: nearest and farthest metres of the colours, e.g. 0.3 4; by default the range of the model
        smoothing: weight of the past where nothing moves, 0 (none) to 1
        limit: end after this many frames
        camera: name of the camera, see densedepth predict --help
        fov: horizontal field of view of the camera in degrees
        focal_35mm: 35mm-equivalent focal length of the camera in millimetres
        focal_px: focal length of the camera in pixels of the upright frame
        intrinsics: fx fy cx cy of the camera in pixels of the upright frame, also followed by width height
        device: what runs the model, see densedepth predict --help
        threads: processor cores to use; all by default
    """
    from densedepth.runtime.video import ClipOptions, live_pictures

    chosen = camera_choice(camera, fov, focal_35mm, focal_px, intrinsics)
    checked_numbers(smoothing, 1, limit)

    options = ClipOptions(layout, checked_range(range), smoothing, limit, camera=chosen.camera_for)
    window = Window("densedepth webcam")
    estimator = load(model, device=device, threads=threads)
    print(f"device: {estimator.device}", file=sys.stderr)
    shown = window.show(live_pictures(source, estimator, options))
    print(f"{shown} frames shown")
    return 0


class Window:
    """A window that shows pictures as they come.

    Raises:
        DenseDepthError: no display, or a Python without tkinter.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ModuleNotFoundError as cause:
            raise DenseDepthError(
                "a window needs tkinter: install your system's python3-tk, or a Python with it"
            ) from cause
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as cause:
            raise DenseDepthError(
                "no display to show a window on: run it on a desktop, or record the camera and use densedepth video"
            ) from cause
        self._root.title(title)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._open = True
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._root.bind("q", lambda event: self._close())

    def show(self, pictures: Generator[NDArray[np.uint8], None, None]) -> int:
        """Show all pictures, or those until the window is closed; gives their number."""
        from PIL import Image, ImageTk

        shown = 0
        try:
            for picture in pictures:
                photo = ImageTk.PhotoImage(Image.fromarray(picture), master=self._root)
                self._label.configure(image=photo)
                self._root.update()
                if not self._open:
                    break
                shown += 1
        finally:
            pictures.close()
            self._root.destroy()
        return shown

    def _close(self) -> None:
        self._open = False
