"""From a photo to its depth map."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.io.images import ImageLike, read_photo
from densedepth.runtime.card import Card
from densedepth.runtime.geometry import assumed_camera, camera_for, depth_scale, working_size
from densedepth.runtime.network import Prediction
from densedepth.runtime.tiling import Tile, Tiles, predict_tiles, tile_factor
from densedepth.runtime.upsampling import Upsampling, enlarged, shrunk, upsampled
from densedepth.types import Camera, DepthMap


class Network(Protocol):
    """What an estimator runs: a `Bundle`, or anything else with a card and the same `infer`."""

    @property
    def card(self) -> Card:
        """What the network is and which camera it was trained for."""
        ...

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, H, W, 3) RGB, sides at least 32, to float32 (N, H, W) metres for the training camera."""
        ...


@runtime_checkable
class UncertainNetwork(Network, Protocol):
    """A network that may also say how far off its depth is."""

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Like `infer`, with the expected error of the depth where it is known."""
        ...


class DepthEstimator:
    """Predicts metric depth for photos of any size. Made by `densedepth.load`."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def card(self) -> Card:
        """What the network is, and how well it does."""
        return self.network.card

    @property
    def device(self) -> str:
        """What the network runs on, a name in `densedepth.runtime.devices.DEVICES`; empty if it does not say."""
        return getattr(self.network, "device", "")

    def infer(self, images: NDArray[np.uint8], *, tta: bool = False) -> NDArray[np.float32]:
        """The network's answer at the size of its input, for the training camera; used by evaluation.

        Args:
            images: uint8 (N, H, W, 3) RGB, sides at least 32.
            tta: average with the mirrored prediction of the mirrored image.

        Returns:
            float32 (N, H, W) metres.

        Raises:
            ValueError, BundleError: see `run`.
        """
        return self.run(images, tta=tta).depth_m

    def run(self, images: NDArray[np.uint8], *, tta: bool = False) -> Prediction:
        """Like `infer`, with the expected error of the depth where the network says it.

        Args:
            images: uint8 (N, H, W, 3) RGB, sides at least 32.
            tta: average with the mirrored prediction of the mirrored image.

        Returns:
            float32 (N, H, W) metres each.

        Raises:
            ValueError: images of another shape or dtype.
            BundleError: the network failed, or its answer cannot be a depth.
        """
        if tta:
            depth_m, uncertainty_m = self._ask(np.concatenate([images, images[:, :, ::-1]]))
            return Prediction(
                _unmirrored_mean(depth_m), None if uncertainty_m is None else _unmirrored_mean(uncertainty_m)
            )
        return self._ask(images)

    def _ask(self, images: NDArray[np.uint8]) -> Prediction:
        if isinstance(self.network, UncertainNetwork):
            return self.network.run(images)
        return Prediction(self.network.infer(images))

    def predict(
        self,
        image: ImageLike,
        *,
        camera: Camera | None = None,
        tta: bool = False,
        tiles: Tiles = 1,
        upsample: Upsampling = "guided",
        progress: Callable[[Iterable[Tile]], Iterable[Tile]] = iter,
    ) -> DepthMap:
        """Predict the depth of one photo.

        The network's own range (`card.depth_range_m`) holds for its training camera. For a photo with another
        focal length the depth is scaled, so it may leave that range.

        Args:
            image: path, open binary file, bytes of a file, PIL image, uint8 array (H, W, 3) RGB, or `Photo`.
            camera: the photo's camera if known; one for another resolution of the same photo is rescaled.
                None takes the focal length from EXIF, else assumes the training camera's 35mm-equivalent one.
            tta: also predict the mirrored photo and average; twice the time, slightly better.
            tiles: how many times as fine as at its own scale the network sees the photo, in overlapping tiles; "auto"
                is as fine as the photo, up to 4; 1 is without tiles. See `densedepth.runtime.tiling`.
            upsample: how the answer comes to the photo's size: "guided" by the photo, so that edges of depth lie on
                edges of the photo, or "bilinear". See `densedepth.runtime.upsampling`.
            progress: wraps the iteration over tiles, for a progress bar.

        Returns:
            The depth at the photo's own size, upright, with the photo and a camera in it. `camera_source`
            says where the camera comes from. `uncertainty_m` is there where the network says it.

        Raises:
            ImageError: the photo cannot be read, or the camera does not fit it.
            BundleError: the network failed, or its answer cannot be a depth.
            ValueError: `tiles` or `upsample` is none of these.
        """
        photo = read_photo(image)
        height, width = photo.image.shape[:2]
        trained = self.card.input
        if camera is not None:
            camera, camera_source = camera_for(camera, width, height), "given"
        elif photo.camera is not None:
            camera, camera_source = photo.camera, "exif"
        else:
            camera, camera_source = assumed_camera(width, height, trained), "assumed"

        working = working_size(width, height, trained)
        factor = tile_factor(tiles, (width, height), working)
        said = self.run(shrunk(photo.image, working, Image.Resampling.BICUBIC)[None], tta=tta)
        depth_m = said.depth_m[0]
        if factor > 1:
            fine = shrunk(photo.image, (factor * working[0], factor * working[1]), Image.Resampling.BICUBIC)
            depth_m = predict_tiles(lambda tile: self.infer(tile[None], tta=tta)[0], fine, depth_m, progress)
        # The assumed camera is the training camera up to rounding: its depth is left as it is.
        scale = 1.0 if camera_source == "assumed" else depth_scale(camera, trained)
        uncertainty_m = said.uncertainty_m
        if uncertainty_m is not None:
            uncertainty_m = enlarged(_scaled(uncertainty_m[0], scale), (width, height))
        return DepthMap(
            upsampled(_scaled(depth_m, scale), photo.image, upsample, tiled=factor > 1),
            camera=camera,
            camera_source=camera_source,
            image=photo.image,
            model=self.card.name,
            uncertainty_m=uncertainty_m,
        )


def _unmirrored_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over images and, behind them, their mirrored ones."""
    plain, mirrored = np.split(values, 2)
    mean: NDArray[np.float32] = (plain + mirrored[:, :, ::-1]) * np.float32(0.5)
    return mean


def _scaled(metres: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    return metres if scale == 1.0 else metres * np.float32(scale)
