"""The studio: geometry, readings, lengths, the camera and the uncertainty."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densedepth.types import Camera, DepthMap
from studio import CAMERA, HEIGHT, STEPS, STEPS_M, WIDTH, Studio, serving

pytest_plugins = ["studio_fixtures"]
pytestmark = pytest.mark.slow


def test_geometry_agrees_with_the_package(studio: Studio) -> None:
    depth = DepthMap(STEPS_M, camera=CAMERA)
    found = studio.page.evaluate(
        """async ([places, depthM]) => {
          const g = await import("/geometry.js");
          const camera = { focalPx: 260, width: 320, height: 240 };
          return {
            xyz: places.map(([c, r]) => g.unproject(camera, c + 0.5, r + 0.5, depthM[r * 320 + c])),
            apart: g.distance([1, 2, 3], [3, 5, 9]),
            focal35mm: g.focal35mm(camera), fovDeg: g.fovDeg(camera), blur: g.blurPx(500, 0.04, 2, 4),
          };
        }""",
        [[[0, 0], [319, 239], [160, 120], [45, 200]], STEPS_M.ravel().tolist()],
    )
    grid = depth.xyz_grid_m()
    expected = [grid[0, 0], grid[239, 319], grid[120, 160], grid[200, 45]]
    np.testing.assert_allclose(found["xyz"], expected, rtol=1e-6)
    assert found["apart"] == 7
    assert found["focal35mm"] == pytest.approx(CAMERA.focal_35mm)
    assert found["fovDeg"] == pytest.approx(math.degrees(2 * math.atan(160 / 260)))
    assert found["blur"] == pytest.approx(0.04 * 500 * (1 / 2 - 1 / 4))


def test_normals_of_planes(studio: Studio) -> None:
    normal = np.array([0.2, -0.7, -0.5]) / np.linalg.norm([0.2, -0.7, -0.5])
    rays = DepthMap(np.ones((HEIGHT, WIDTH), np.float32), camera=CAMERA).xyz_grid_m()
    depth_m = -1.4 / (rays @ normal)
    depth_m[:30] = 0
    found = studio.page.evaluate(
        """async (values) => {
          const { Depth } = await import("/depth.js");
          const { normalAt } = await import("/geometry.js");
          const depth = new Depth({ depthM: new Float32Array(values), width: 320, height: 240, focalPx: 260 });
          return [normalAt(depth, 100, 200, 6), normalAt(depth, 0, 239, 9), normalAt(depth, 20, 0, 6)];
        }""",
        depth_m.ravel().tolist(),
    )
    np.testing.assert_allclose(found[0], normal, atol=1e-4)
    np.testing.assert_allclose(found[1], normal, atol=1e-4)
    assert found[2] is None, "no depth, no normal"


def test_a_click_reads_the_depth_of_that_pixel(studio: Studio) -> None:
    studio.add(STEPS)
    places = [(3, 4), (200, 30), (318, 238), (79, 100), (80, 100)]
    for column, row in places:
        studio.click(column, row)
    np.testing.assert_allclose(studio.measured(), [STEPS_M[row, column] for column, row in places], rtol=1e-6)
    assert "5 measurements" not in studio.page.inner_text("#live")
    sentence = studio.page.inner_text("#list li:first-child small")
    away = np.linalg.norm(DepthMap(STEPS_M, camera=CAMERA).xyz_grid_m()[4, 3])
    assert sentence == f"{away:.2f} m from the lens"


def test_two_clicks_measure_between_two_points(studio: Studio) -> None:
    studio.add(STEPS)
    studio.choose("tool", "length")
    grid = DepthMap(STEPS_M, camera=CAMERA).xyz_grid_m().astype(np.float64)
    ends = [((20, 20), (300, 220)), ((5, 230), (6, 230))]
    for (c0, r0), (c1, r1) in ends:
        studio.click(c0, r0)
        studio.click(c1, r1)
    expected = [np.linalg.norm(grid[r0, c0] - grid[r1, c1]) for (c0, r0), (c1, r1) in ends]
    # The focal length comes in six digits.
    np.testing.assert_allclose(studio.measured(), expected, rtol=2e-5)
    assert studio.page.locator("#marks line.over").count() == 2


def test_undo_remove_and_clear(studio: Studio) -> None:
    studio.add(STEPS)
    for column in (10, 100, 200):
        studio.click(column, 100)
    first, second, third = studio.measured()
    studio.page.keyboard.press("Control+z")
    assert studio.measured() == [first, second]
    studio.click(200, 100)
    studio.page.get_by_label("Remove measurement 2").click()
    assert studio.measured() == [first, third]
    studio.choose("tool", "length")
    studio.click(10, 10)
    assert "ends" in studio.page.inner_text("#measure-hint")
    studio.page.click("#undo")
    assert studio.measured() == [first, third], "only the open end is gone"
    studio.page.click("#clear")
    assert studio.measured() == []
    assert studio.page.is_disabled("#undo")


def test_the_camera_changes_the_metres_and_says_what_they_rest_on(studio: Studio) -> None:
    studio.add(STEPS)
    assert "assumed" in studio.page.get_attribute("#camera-state", "class")
    assert "only as good as this guess" in studio.page.inner_text("#camera-state")
    studio.click(100, 100)
    before = studio.measured()[0]
    with studio.page.expect_response(lambda response: "fov_deg=30" in response.url):
        studio.page.select_option("#camera", "fov")
        studio.page.fill("#fov", "30")
        studio.page.keyboard.press("Tab")
    studio.until("!document.getElementById('camera-state').classList.contains('assumed')")
    assert "as you set it" in studio.page.inner_text("#camera-state")
    # The same picture through a longer lens is farther away, by the ratio of the focal lengths.
    assert studio.measured()[0] == pytest.approx(before * Camera.from_fov(320, 240, 30).fx / 260, rel=2e-3)


def test_uncertainty_is_shown_where_the_model_says_it(studio: Studio) -> None:
    # Between 14 and 22 % of the depth, as a real model says: the veil spans what there is in the photo.
    share = np.linspace(0.14, 0.22, WIDTH, dtype=np.float32)
    studio.answer(STEPS_M, STEPS_M * share)
    studio.add(STEPS)
    studio.page.check("#unsure")
    assert studio.page.inner_text("#unsure-words") == "clear up to ± 15 %, dense from ± 22 % on"
    veil = studio.canvas("veil")[..., 3]
    assert veil[:, :30].max() == 0
    assert veil[:, -3:].min() == 235
    assert np.all(np.diff(veil[0].astype(int)) >= 0)
    studio.click(10, 10)
    unsure = f"± {STEPS_M[10, 10] * share[10]:.2f} m"
    assert unsure in studio.page.inner_text("#list small")
    assert unsure in studio.page.inner_text("#readout")


def test_the_uncertainty_of_the_shipped_bundle_is_a_picture_not_a_wash(browser: Any, tmp_path: Path) -> None:
    with serving("nyu", tmp_path) as server, browser.new_context() as context:
        studio = Studio(context.new_page(), tmp_path)
        studio.page.goto(server.url)
        studio.page.click(".example >> nth=1")
        studio.page.wait_for_selector("#download:enabled")
        studio.page.check("#unsure")
        veil = studio.canvas("veil")[..., 3]
        studio.click(200, 150, 640, 480)
        assert re.fullmatch(r"± \d\.\d\d m, \d\.\d\d m from the lens", studio.page.inner_text("#list small"))
        assert studio.faults == []
    assert np.mean(veil < 60) > 0.3
    assert np.mean(veil > 200) > 0.01
