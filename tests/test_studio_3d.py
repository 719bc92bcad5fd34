"""The studio: the view in space, refocus and the ball, all drawn by WebGL."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import densedepth
from densedepth.types import DepthMap
from studio import CAMERA, HEIGHT, PHONE, SMALL, WIDTH, Studio, colours_in, picture

pytest_plugins = ["studio_fixtures"]
pytestmark = pytest.mark.slow


def test_the_view_in_space_is_drawn_and_turns(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(viewport=SMALL)
    studio.add(picture(8))
    studio.choose("mode", "space")
    first = studio.shot("#space")
    assert colours_in(first) > 30
    box = studio.page.locator("#space").bounding_box()
    studio.page.mouse.move(box["x"] + 200, box["y"] + 200)
    studio.page.mouse.down()
    studio.page.mouse.move(box["x"] + 320, box["y"] + 160, steps=3)
    studio.page.mouse.up()
    turned = studio.shot("#space")
    assert np.abs(turned.astype(int) - first).mean() > 3
    studio.page.click("#reset-view")
    assert np.abs(studio.shot("#space").astype(int) - first).mean() < 0.5, "back where it began"
    studio.page.focus("#space")
    before = first.astype(int)
    for key in ("ArrowLeft", "+", "Shift+ArrowUp"):
        studio.page.keyboard.press(key)
        after = studio.shot("#space").astype(int)
        assert np.abs(after - before).mean() > 0.5, key
        before = after
    studio.choose("drawn", "points")
    studio.choose("painted", "depth")
    assert colours_in(studio.shot("#space")) > 30


def empty_share(image: NDArray[np.uint8]) -> float:
    """How much of the view shows the bare stage, whose colour in the light scheme this is."""
    return float(np.all(image == (231, 234, 240), axis=-1).mean())


def test_fingers_turn_and_zoom(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(viewport=PHONE, has_touch=True, is_mobile=True)
    studio.add(picture(8))
    studio.choose("mode", "space")
    box = studio.page.locator("#space").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = studio.page.context.new_cdp_session(studio.page)

    def drag(*ways: tuple[float, float, float, float]) -> None:
        """Each finger from one place to another, seen from the middle."""
        for kind, share in (("touchStart", 0), ("touchMove", 0.5), ("touchMove", 1), ("touchEnd", None)):
            points = [
                {"x": x + x0 + (x1 - x0) * share, "y": y + y0 + (y1 - y0) * share, "id": i}
                for i, (x0, y0, x1, y1) in enumerate(ways)
                if share is not None
            ]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    first = studio.shot("#space")
    drag((0, 0, 60, 0))
    turned = studio.shot("#space")
    assert np.abs(turned.astype(int) - first).mean() > 3
    assert studio.page.evaluate("scrollY") == 0, "the page stays where it is"
    drag((-90, 0, -30, 0), (90, 0, 30, 0))
    assert empty_share(studio.shot("#space")) > empty_share(turned) + 0.1, "smaller"


def test_without_webgl_it_says_so_and_the_rest_works(studio: Studio) -> None:
    studio.page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...rest); };"
    )
    studio.page.reload()
    studio.add(picture(8))
    for mode in ("space", "refocus", "ball"):
        studio.choose("mode", mode)
        assert "WebGL 2" in studio.page.inner_text("#no-webgl")
        assert colours_in(studio.shot("#stage")) > 30, "the photo is seen"
    studio.click(30, 30)
    studio.choose("mode", "depth")
    assert not studio.page.is_visible("#no-webgl")
    studio.click(30, 30)
    assert len(studio.measured()) == 1


def test_a_lost_context_comes_back(studio: Studio) -> None:
    studio.add(picture(8))
    for mode, canvas in (("space", "space"), ("refocus", "effect")):
        studio.choose("mode", mode)
        before = studio.shot(f"#{canvas}").astype(int)
        studio.page.evaluate(
            """async (id) => {
              const lost = document.getElementById(id).getContext("webgl2").getExtension("WEBGL_lose_context");
              lost.loseContext();
              await new Promise((resolve) => setTimeout(resolve, 100));
              lost.restoreContext();
              await new Promise((resolve) => setTimeout(resolve, 300));
            }""",
            canvas,
        )
        assert np.abs(studio.shot(f"#{canvas}") - before).mean() < 1, mode


def test_the_filter_takes_flying_pixels_away(studio: Studio) -> None:
    # A near half, a far half, and between them a ramp that belongs to neither.
    row_m = np.interp(np.arange(WIDTH), [155, 165], [1.0, 3.0]).astype(np.float32)
    depth_m = np.tile(row_m, (HEIGHT, 1))
    studio.answer(depth_m)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, :156] = (255, 0, 0)
    image[:, 156:165] = (0, 255, 0)
    image[:, 165:] = (0, 0, 255)
    studio.add(image)
    studio.choose("mode", "space")
    flying = densedepth.io.surface.flying_pixels(DepthMap(depth_m, camera=CAMERA), 5)
    assert flying[:, 156:165].all()
    assert not flying[:, :155].any()

    def share(degrees: float, kind: str) -> NDArray[np.float64]:
        studio.set_slider("flying", degrees)
        studio.choose("drawn", kind)
        seen = studio.shot("#space").astype(int)
        return np.array([(seen[..., i] - seen[..., (i + 1) % 3] > 120).mean() for i in range(3)])

    for kind in ("points", "surface"):
        everything, filtered = share(0, kind), share(5, kind)
        assert everything[1] > 0.01, "the ramp is seen"
        assert filtered[1] < 0.25 * everything[1], "the ramp is gone"
        assert filtered[0] > 0.95 * everything[0]
        assert filtered[2] > 0.95 * everything[2]


def test_refocus_blurs_by_the_metres_and_does_not_bleed(studio: Studio) -> None:
    depth_m = np.full((HEIGHT, WIDTH), 4.0, np.float32)
    depth_m[:, :160] = 1.0
    studio.answer(depth_m)
    noise = np.random.default_rng(0).integers(60, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, :160, 0] = noise[:, :160]
    image[:, 160:, 2] = noise[:, 160:]
    studio.add(image)
    studio.choose("mode", "refocus")
    studio.set_slider("aperture", 40)
    studio.click(60, 120)
    assert studio.page.inner_text("#focus-value") == "1.00 m"
    seen = studio.saved()
    assert np.abs(seen[:, :156, 0] - image[:, :156, 0]).mean() < 3, "in focus nothing changes"
    assert seen[20:-20, 175:300, 2].std() < 0.4 * image[20:-20, 175:300, 2].std(), "the far half is blurred"
    assert seen[20:-20, 162:, 0].max() < 30, "no red in the blurred half"
    assert seen[20:-20, :158, 2].max() < 30, "no blue in the sharp half"
    studio.click(260, 120)
    seen = studio.saved()
    assert np.abs(seen[:, 200:, 2] - image[:, 200:, 2]).mean() < 3
    assert seen[20:-20, 20:140, 0].std() < 0.4 * image[20:-20, 20:140, 0].std()
    studio.set_slider("aperture", 0)
    assert np.abs(studio.saved() - image).mean() < 3, "closed: as it was"


def test_the_ball_has_its_size_and_is_hidden_by_what_is_nearer(studio: Studio) -> None:
    # A floor 1.2 m below the camera up to a wall 5 m away, and a board 1 m away on the left.
    y = (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / 260
    floor_m = np.where(y > 0.01, 1.2 / np.maximum(y, 0.01), 5)
    depth_m = np.tile(np.minimum(floor_m, 5).astype(np.float32)[:, None], (1, WIDTH))
    depth_m[:, :150] = 1.0
    studio.answer(depth_m)
    studio.add(np.full((HEIGHT, WIDTH, 3), 150, np.uint8))
    studio.choose("mode", "ball")
    assert np.abs(studio.saved() - 150).max() <= 2, "no ball yet"
    column, row = 165, 220
    studio.set_slider("diameter", 0.6)
    studio.click(column, row)
    seen = studio.saved()
    red = seen[..., 0] - seen[..., 1] > 40
    x, y, z = DepthMap(depth_m, camera=CAMERA).xyz_grid_m()[row, column] - np.array([0, 0.3, 0])

    def outline(sideways: float) -> tuple[float, float]:
        """From where to where a ball of radius 0.3 at (sideways, z) is seen; the outline in a pinhole picture."""
        spread = 0.3 * math.sqrt(sideways**2 + z**2 - 0.3**2)
        return tuple(260 * (sideways * z + way * spread) / (z**2 - 0.3**2) for way in (-1, 1))

    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    np.testing.assert_allclose([rows.min(), rows.max() + 1], np.array(outline(y)) + HEIGHT / 2, atol=2.5)
    assert columns.max() + 1 == pytest.approx(outline(x)[1] + WIDTH / 2, abs=2.5)
    assert columns.min() >= 149, "hidden by the board"
    assert np.abs(seen[:, :148, :3] - 150).max() <= 2, "no shadow falls on the board"
    shade = seen[row - 6 : row + 6, 170:300, 0]
    assert shade.min() < 110, "there is a shadow where it touches the floor"
    assert seen[20, 300, 0] > 145
    studio.choose("paint", "chrome")
    middle = (round(rows.mean()), column)
    assert np.abs(studio.saved()[middle] - seen[middle]).max() > 20
