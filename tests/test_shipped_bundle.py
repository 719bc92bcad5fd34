"""The bundle that ships: its card, its size, what it makes of the example photos, and its published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densedepth
from densedepth.cli import main
from densedepth.runtime import read_card
from densedepth.runtime.zoo import BUNDLES_DIR, EXAMPLES_DIR

NYU = BUNDLES_DIR / "nyu.onnx"


def test_card_says_what_it_is() -> None:
    card = read_card(NYU)
    assert (card.name, card.encoder) == ("nyu", "tf_efficientnet_lite2")
    assert "795" in card.training_data or "NYU" in card.training_data
    assert "research" in card.license
    assert card.metrics, "the card must carry the test result"
    for result in card.metrics:
        assert {"protocol", "crop", "cap_m", "alignment", "tta", "images", "per_image", "pooled"} <= result.keys()


def test_it_is_small_enough_to_ship() -> None:
    assert NYU.stat().st_size < 15e6


@pytest.mark.parametrize("photo", sorted(EXAMPLES_DIR.glob("*.jpg")), ids=lambda path: path.stem)
def test_example_rooms_get_the_depth_of_rooms(photo: Path) -> None:
    depth = densedepth.load("nyu").predict(photo)
    assert depth.depth_m.shape == (480, 640)
    assert 1.0 < np.median(depth.depth_m) < 6.0
    # The floor before the camera is nearer than what stands behind it.
    assert np.median(depth.depth_m[440:, 160:480]) < np.median(depth.depth_m[160:280, 160:480])


def test_the_far_end_of_the_corridor_is_far() -> None:
    depth_m = densedepth.load("nyu").predict(EXAMPLES_DIR / "corridor.jpg").depth_m
    end, left_wall = np.median(depth_m[260:330, 310:340]), np.median(depth_m[200:300, :40])
    assert end > 1.5 * left_wall


def test_mirroring_the_photo_mirrors_the_depth_with_tta() -> None:
    image = np.asarray(Image.open(EXAMPLES_DIR / "kitchen.jpg"))
    estimator = densedepth.load("nyu")
    plain = estimator.predict(image, tta=True).depth_m
    mirrored = estimator.predict(np.ascontiguousarray(image[:, ::-1]), tta=True).depth_m
    np.testing.assert_allclose(plain, mirrored[:, ::-1], rtol=2e-3)


@pytest.mark.slow
def test_evaluate_gives_the_card_s_numbers(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["--model", "nyu", "--dataset", "nyu", "--root", str(shared / "nyu"), "--json", str(file)]
    assert main(["evaluate", *words]) == 0
    measured = json.loads(file.read_text())
    (carded,) = [m for m in read_card(NYU).metrics if m["protocol"] == measured["protocol"] and m["tta"]]
    assert measured["images"] == carded["images"] == 654
    for part in ("per_image", "pooled"):
        for name, value in carded[part].items():
            # Another processor sums in another order; the fourth decimal is not part of the claim.
            assert measured[part][name] == pytest.approx(value, rel=1e-3), (part, name)
    assert measured["per_image"]["delta1"] >= 0.70
