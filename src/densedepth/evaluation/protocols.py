"""Named evaluation protocols: which pixels count, and up to which depth.

The same predictions give different numbers under different crops; published NYU results mostly use Eigen's, the
authors of DenseDepth their own; on KITTI there are Garg's and Eigen's. A protocol is looked up by name and printed
beside every result. A new one is one line in `PROTOCOLS`.
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
        crop: (top, bottom, left, right) in pixels of a frame of ``frame_size``.
        frame_size: (height, width) that ``crop`` is defined for; other sizes are an error.
        min_depth_m: ground truth must be deeper than this; predictions are clipped to it.
        cap_m: ground truth must not be deeper than this; predictions are clipped to it.
        crop_fractions: instead of ``crop``, the same four as parts of height and width, for frames of any size.
        cap_counts: whether ground truth of exactly ``cap_m`` counts; on KITTI it does not.

    Without ``crop`` and ``crop_fractions`` the whole frame counts.
    """

    name: str
    crop: tuple[int, int, int, int] | None = None
    frame_size: tuple[int, int] | None = None
    min_depth_m: float = 1e-3
    cap_m: float = 10.0
    crop_fractions: tuple[float, float, float, float] | None = None
    cap_counts: bool = True

    @property
    def crop_text(self) -> str:
        """The crop for people to read, and to compare with other results."""
        if self.crop is not None:
            top, bottom, left, right = self.crop
            return f"rows {top}:{bottom}, cols {left}:{right}"
        if self.crop_fractions is not None:
            top_part, bottom_part, left_part, right_part = self.crop_fractions
            return f"rows {top_part}:{bottom_part} of the height, cols {left_part}:{right_part} of the width"
        return "none"

    def region(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of a frame of ``shape`` (height, width) that lie inside the crop."""
        if self.crop is not None:
            top, bottom, left, right = self.crop
        elif self.crop_fractions is not None:
            # Truncated, not rounded: so the published programs do it, and half a row is visible in the numbers.
            sides = (shape[0], shape[0], shape[1], shape[1])
            top, bottom, left, right = (int(part * side) for part, side in zip(self.crop_fractions, sides, strict=True))
        else:
            top, bottom, left, right = 0, shape[0], 0, shape[1]
        return slice(top, bottom), slice(left, right)

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
        near_enough = depth_m <= self.cap_m if self.cap_counts else depth_m < self.cap_m
        inside = np.zeros(depth_m.shape, dtype=bool)
        inside[self.region(depth_m.shape)] = True
        mask: np.ndarray = inside & valid & (depth_m > self.min_depth_m) & near_enough
        if not mask.any():
            raise DataError(f"{key}: no ground truth that protocol {self.name} counts (crop, depth limits, holes)")
        return mask


#: Eigen et al. 2014 and Garg et al. 2016 by way of the programs that published numbers with them.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("nyu-eigen", crop=(45, 471, 41, 601), frame_size=(480, 640)),
        Protocol("nyu-densedepth", crop=(20, 460, 24, 616), frame_size=(480, 640)),
        Protocol(
            "kitti-garg",
            crop_fractions=(0.40810811, 0.99189189, 0.03594771, 0.96405229),
            cap_m=80.0,
            cap_counts=False,
        ),
        Protocol(
            "kitti-eigen",
            crop_fractions=(0.3324324, 0.91351351, 0.0359477, 0.96405229),
            cap_m=80.0,
            cap_counts=False,
        ),
        Protocol("none"),
    )
}

_DEFAULTS = {
    "nyu": "nyu-eigen",
    "nyu-mat": "nyu-eigen",
    "nyu-npy": "nyu-eigen",
    "nyu-sync": "nyu-eigen",
    "kitti": "kitti-garg",
    "kitti-depth": "kitti-garg",
    "kitti-object": "kitti-garg",
}


def protocol_for(dataset: str, name: str | None = None) -> Protocol:
    """Look up a protocol.

    Args:
        dataset: name of the layout, which has a usual protocol: NYU's and KITTI's own, "none" for all others.
        name: of the protocol to take instead.

    Returns:
        One of `PROTOCOLS`.

    Raises:
        DataError: no such protocol.
    """
    name = name or _DEFAULTS.get(dataset, "none")
    if name not in PROTOCOLS:
        raise DataError(f"unknown protocol '{name}'; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
