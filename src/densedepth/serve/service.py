"""All that one server consists of, made once and closed in order."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from densedepth.runtime import DepthEstimator, Network
from densedepth.serve.batching import Batcher
from densedepth.serve.gate import Gate, RateLimiter
from densedepth.serve.metrics import Metrics
from densedepth.serve.photos import Photos
from densedepth.serve.settings import Settings
from densedepth.serve.videos import Videos

WARM_UP_SIDES = (480, 640)


class Service:
    """The parts behind the routes.

    Attributes:
        networks: name to network; the first is the default.
        uncertain: names of those that say how sure they are; known after `warm_up`.
        failure: why the server cannot work, or None; it ends then.
        folder: private, for files that live as long as an answer or a video; deleted by `close`.
    """

    def __init__(self, networks: Mapping[str, Network], settings: Settings) -> None:
        """Start the threads; `warm_up` makes the gate open."""
        self.settings = settings
        self.networks = dict(networks)
        self.uncertain: set[str] = set()
        self.failure: BaseException | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="densedepth-serve-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.metrics = Metrics(lambda: self.gate.admitted)
        self.batcher = Batcher(networks, settings.batch, self.metrics.batch.observe)
        self.gate = Gate(settings, lambda: self.batcher.seconds_per_image)
        self.rate = RateLimiter(settings.rate)
        self.photos = Photos(self.batcher, settings)
        self.videos = Videos(self.batcher, settings, self.folder)

    def warm_up(self) -> None:
        """One photo through each network; the first takes much longer than those that follow."""
        try:
            self._warm_up()
        except Exception as error:
            self.failure = error
            self.gate.draining = True

    def _warm_up(self) -> None:
        for name in self.networks:
            depth = DepthEstimator(self.batcher.network(name)).predict(np.zeros((*WARM_UP_SIDES, 3), np.uint8))
            if depth.uncertainty_m is not None:
                self.uncertain.add(name)
        self.gate.ready = True

    def close(self) -> None:
        """Finish the photos that are here, stop the videos, end the threads and delete all files."""
        self.gate.draining = True
        self.videos.close()
        self.photos.close()
        self.batcher.close()
        self._folder.cleanup()
