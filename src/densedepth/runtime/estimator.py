"""From a photo to its depth map."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densedepth.io.images import ImageLike, read_photo
from densedepth.runtime.card import Card
from densedepth.runtime.geometry import assumed_camera, camera_for, depth_scale, working_size
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


class DepthEstimator:
    """Predicts metric depth for photos of any size. Made by `densedepth.load`."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def card(self) -> Card:
        """What the network is, and how well it does."""
        return self.network.card

    def infer(self, images: NDArray[np.uint8], *, tta: bool = False) -> NDArray[np.float32]:
        """The network's answer at the size of its input, for the training camera; used by evaluation.

        Args:
            images: uint8 (N, H, W, 3) RGB, sides at least 32.
            tta: average with the mirrored prediction of the mirrored image.

        Returns:
            float32 (N, H, W) metres.
        """
        if not tta:
            return self.network.infer(images)
        plain, mirrored = np.split(self.network.infer(np.concatenate([images, images[:, :, ::-1]])), 2)
        average = (plain + mirrored[:, :, ::-1]) * np.float32(0.5)
        return average

    def predict(
        self,
        image: ImageLike,
        *,
        camera: Camera | None = None,
        tta: bool = False,
    ) -> DepthMap:
        """Predict the depth of one photo.

        The network's own range (`card.depth_range_m`) holds for its training camera. For a photo with another
        focal length the depth is scaled, so it may leave that range.

        Args:
            image: path, open binary file, bytes of a file, PIL image, uint8 array (H, W, 3) RGB, or `Photo`.
            camera: the photo's camera if known; one for another resolution of the same photo is rescaled.
                None takes the focal length from EXIF, else assumes the training camera's 35mm-equivalent one.
            tta: also predict the mirrored photo and average; twice the time, slightly better.

        Returns:
            The depth at the photo's own size, upright, with the photo and a camera in it. `camera_source`
            says where the camera comes from.

        Raises:
            ImageError: the photo cannot be read, or the camera does not fit it.
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

        small = _resized(photo.image, working_size(width, height, trained))
        depth_m = self.infer(small[None], tta=tta)[0]
        # The assumed camera is the training camera up to rounding: its depth is left as it is.
        if camera_source != "assumed":
            depth_m = depth_m * np.float32(depth_scale(camera, trained))
        full = Image.fromarray(depth_m).resize((width, height), Image.Resampling.BILINEAR)
        return DepthMap(
            np.array(full, dtype=np.float32),
            camera=camera,
            camera_source=camera_source,
            image=photo.image,
            model=self.card.name,
        )


def _resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Antialiased; much larger photos are first averaged in whole blocks, which is faster and as good."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0))
