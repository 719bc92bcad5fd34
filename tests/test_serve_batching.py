"""Micro-batching: what fits goes together, each gets its own answer, nobody waits for the dead."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")

from conftest import TRAINED, MakeBundle, brightness_depth_m
from densedepth.errors import BundleError
from densedepth.io import read_image
from densedepth.runtime import Bundle, Card, DepthEstimator, load
from densedepth.runtime.network import Prediction
from densedepth.runtime.zoo import EXAMPLES_DIR
from densedepth.serve.batching import Batcher, TooLate
from serving import picture


class Held:
    """A network that answers when it is let go, and remembers what it saw."""

    card = Card("held", TRAINED, (0.1, 10.0))

    def __init__(self) -> None:
        self.go = threading.Event()
        self.seen: list[tuple[int, ...]] = []

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.run(images).depth_m

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        self.seen.append(images.shape[:3])
        assert self.go.wait(10)
        if images.max() == 255:
            raise BundleError("held: failed")
        depth_m = brightness_depth_m(images)
        return Prediction(depth_m, depth_m / np.float32(10))


def images(number: int, height: int = 32, width: int = 40) -> NDArray[np.uint8]:
    return np.full((1, height, width, 3), number, np.uint8)


def test_what_waits_goes_together_by_size_and_limit() -> None:
    network = Held()
    sizes: list[int] = []
    batcher = Batcher({"held": network}, 3, sizes.append)
    first = batcher.submit("held", images(1))
    while not network.seen:
        time.sleep(0.001)
    wide = [batcher.submit("held", images(number, 32, 48)) for number in (10, 11)]
    same = [batcher.submit("held", images(number)) for number in (2, 3, 4, 5)]
    network.go.set()
    batcher.close()
    assert network.seen == [(1, 32, 40), (2, 32, 48), (3, 32, 40), (1, 32, 40)]
    assert sizes == [1, 2, 3, 1]
    for number, future in zip((1, 10, 11, 2, 3, 4, 5), [first, *wide, *same], strict=True):
        said = future.result()
        expected_m = brightness_depth_m(np.full((3,), number, np.uint8))
        assert np.all(said.depth_m == expected_m)
        assert np.all(said.uncertainty_m == expected_m / 10)
        assert said.depth_m.base is None or said.depth_m.base.shape == said.depth_m.shape


def test_who_gave_up_costs_nothing() -> None:
    network = Held()
    batcher = Batcher({"held": network}, 4)
    first = batcher.submit("held", images(1))
    while not network.seen:
        time.sleep(0.001)
    late = batcher.network("held", time.monotonic() + 0.05)
    with pytest.raises(TooLate):
        late.infer(images(2))
    kept = batcher.submit("held", images(3))
    network.go.set()
    batcher.close()
    assert network.seen == [(1, 32, 40), (1, 32, 40)]
    assert first.done()
    assert kept.done()


def test_a_failure_reaches_who_asked_and_the_thread_lives() -> None:
    network = Held()
    network.go.set()
    batcher = Batcher({"held": network}, 1)
    with pytest.raises(BundleError, match="held: failed"):
        batcher.network("held").infer(images(255))
    assert batcher.network("held").infer(images(0)).max() == np.float32(0.1)
    batcher.close()


def test_two_models_do_not_mix(tiny_bundle: MakeBundle) -> None:
    plain, shifted = Bundle(tiny_bundle()), Bundle(tiny_bundle("shifted.onnx", shift=True))
    batcher = Batcher({"plain": plain, "shifted": shifted}, 8)
    jobs = [(name, picture(seed)) for seed in range(8) for name in ("plain", "shifted")]
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda job: DepthEstimator(batcher.network(job[0])).predict(job[1]), jobs))
    batcher.close()
    for (name, image), depth in zip(jobs, answers, strict=True):
        own = DepthEstimator(plain if name == "plain" else shifted).predict(image)
        np.testing.assert_array_equal(depth.depth_m, own.depth_m)


def test_the_shipped_bundle_answers_the_same_alone_and_in_a_batch() -> None:
    estimator = load("nyu", threads=1)
    photos = [read_image(path) for path in sorted(Path(EXAMPLES_DIR).glob("*.jpg"))]
    alone = [estimator.predict(photo, tta=tta).depth_m for tta in (False, True) for photo in photos]
    sizes: list[int] = []
    batcher = Batcher({"nyu": estimator.network}, 6, sizes.append)

    def ask(job: tuple[bool, NDArray[np.uint8]]) -> NDArray[np.float32]:
        return DepthEstimator(batcher.network("nyu")).predict(job[1], tta=job[0]).depth_m

    with ThreadPoolExecutor(10) as clients:
        together = list(clients.map(ask, [(tta, photo) for tta in (False, True) for photo in photos]))
    batcher.close()
    assert max(sizes) > 1
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
