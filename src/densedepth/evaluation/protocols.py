"""Named evaluation protocols: which pixels count, and up to which depth.

The same predictions give different numbers under different crops; published NYU results mostly use Eigen's, the
authors of DenseDepth their own. A protocol is looked up by name and printed beside every result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from densedepth.errors import DataError


@dataclass(frozen=True)
class Protocol:
    """Which pixels of the ground truth count.

    Attributes:
        name: as given to ``--protocol``.
        crop: (top, bottom, left, right) in pixels of a frame of ``frame_size``; None = whole frame.
        frame_size: (height, width) that the crop is defined for; other sizes are an error.
        min_depth_m: ground truth must be deeper than this.
        cap_m: ground truth must be nearer than this; predictions are clipped to it.
    """

    name: str
    crop: tuple[int, int, int, int] | None = None
    frame_size: tuple[int, int] | None = None
    min_depth_m: float = 1e-3
    cap_m: float = 10.0

    @property
    def crop_text(self) -> str:
        if self.crop is None:
            return "none"
        top, bottom, left, right = self.crop
        return f"rows {top}:{bottom}, cols {left}:{right}"

    def counted(self, depth_m: np.ndarray, valid: np.ndarray, key: str) -> np.ndarray:
        """The pixels that count, bool (H, W).

        Raises:
            DataError: the frame has another size than the crop is defined for, or no pixel counts.
        """
        if self.frame_size is not None and depth_m.shape != self.frame_size:
            height, width = self.frame_size
            raise DataError(
                f"{key}: protocol {self.name} is defined for {width}x{height} frames, "
                f"this one is {depth_m.shape[1]}x{depth_m.shape[0]}; use --protocol none"
            )
        mask = valid & (depth_m > self.min_depth_m) & (depth_m <= self.cap_m)
        if self.crop is not None:
            top, bottom, left, right = self.crop
            inside = np.zeros_like(mask)
            inside[top:bottom, left:right] = True
            mask = mask & inside
        if not mask.any():
            raise DataError(f"{key}: no ground truth that protocol {self.name} counts (crop, depth limits, holes)")
        return mask


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("nyu-eigen", crop=(45, 471, 41, 601), frame_size=(480, 640)),
        Protocol("nyu-densedepth", crop=(20, 460, 24, 616), frame_size=(480, 640)),
        Protocol("none"),
    )
}

_DEFAULTS = {"nyu": "nyu-eigen"}


def protocol_for(dataset: str, name: str | None = None) -> Protocol:
    """The protocol ``name``, or the usual one of ``dataset``.

    Raises:
        DataError: no such protocol.
    """
    name = name or _DEFAULTS.get(dataset, "none")
    if name not in PROTOCOLS:
        raise DataError(f"unknown protocol '{name}'; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
