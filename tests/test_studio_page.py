"""The studio: what is seen, on every screen and by everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densedepth
from conftest import brightness_depth_m
from densedepth.types import DepthMap
from studio import HEIGHT, PHONE, SMALL, STEPS, STEPS_M, WIDTH, Studio, colours_in, picture

STUDIO = Path(densedepth.__file__).parent / "serve" / "studio"

pytest_plugins = ["studio_fixtures"]
pytestmark = pytest.mark.slow


def test_the_files_hold_everything_and_nothing_inline() -> None:
    files = [path for path in STUDIO.iterdir() if path.suffix in (".html", ".css", ".js", ".svg")]
    assert {"index.html", "style.css", "app.js"} <= {path.name for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\s\"']+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path
        if path.suffix == ".js":
            assert len(text.splitlines()) <= 300, path
        assert max(map(len, text.splitlines())) <= 120, path
    page = (STUDIO / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src=)", page)
    assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", page))


def test_photo_and_depth_under_the_slider(studio: Studio) -> None:
    image = picture(3)
    studio.add(image)
    limits = studio.page.eval_on_selector_all("#range-near, #range-far", "all => all.map(e => e.valueAsNumber)")
    depth_m = brightness_depth_m(image)
    np.testing.assert_allclose(limits, np.percentile(depth_m, [1, 99]), atol=0.02)

    colored = studio.canvas("depth")[..., :3]
    expected = np.asarray(densedepth.io.colorize(DepthMap(depth_m), *np.percentile(depth_m, [1, 99])))
    assert np.abs(colored.astype(int) - expected).mean() < 2

    box = studio.page.locator("#frame").bounding_box()
    handle = studio.page.locator("#split")
    assert handle.get_attribute("aria-valuenow") == "50"
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    studio.page.mouse.move(*middle)
    studio.page.mouse.down()
    studio.page.mouse.move(box["x"] + 0.8 * box["width"], middle[1], steps=4)
    studio.page.mouse.up()
    assert handle.get_attribute("aria-valuenow") == "80"
    assert studio.measured() == [], "moving the slider measures nothing"

    shown = np.asarray(Image.fromarray(studio.shot("#frame")).resize((WIDTH, HEIGHT), Image.Resampling.BOX)).astype(int)
    left, right = slice(10, 230), slice(280, 310)
    assert np.abs(shown[30:80, left] - image[30:80, left]).mean() < 6
    assert np.abs(shown[30:80, right] - colored[30:80, right]).mean() < 6
    assert np.abs(shown[30:80, right] - image[30:80, right]).mean() > 30

    handle.focus()
    studio.page.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    studio.page.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuetext") == "2 % photo, 98 % depth"


def test_colours_and_a_range_for_all(studio: Studio) -> None:
    studio.add(STEPS, np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    studio.page.select_option("#map", "grey")
    studio.page.fill("#range-near", "0")
    studio.page.fill("#range-far", "10")
    studio.page.keyboard.press("Tab")
    studio.page.check("#range-shared")
    expected = np.rint(255 - STEPS_M * 25.5)
    assert np.abs(studio.canvas("depth")[..., 0] - expected).max() <= 1
    assert studio.page.locator("#legend").get_attribute("aria-label") == "Colours from 0.00 m (left) to 10.0 m (right)"
    studio.page.locator(".thumb > button:first-child").nth(1).click()
    studio.page.wait_for_selector("#download:enabled")
    level = 255 - (0.1 + 100 / 255 * 9) * 25.5
    assert np.abs(studio.canvas("depth")[..., 0] - level).max() <= 1
    studio.page.uncheck("#range-shared")
    studio.page.click("#range-auto")
    near_far = studio.page.eval_on_selector_all("#range-near, #range-far", "all => all.map(e => e.value)")
    assert near_far == ["3.63", "3.63"], "its own range again"


def test_the_readout_follows_the_pointer(studio: Studio) -> None:
    studio.add(STEPS)
    studio.page.mouse.move(*studio.place(30, 50))
    assert f"{STEPS_M[50, 30]:.2f} m" in studio.page.inner_text("#readout strong")
    assert "pixel 30, 50" in studio.page.inner_text("#readout")
    studio.page.mouse.move(2, 2)
    assert "Point at the picture" in studio.page.inner_text("#readout")


def test_phone(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(viewport=PHONE, has_touch=True, is_mobile=True)
    wide = "document.documentElement.scrollWidth"
    assert studio.page.evaluate(wide) == 360
    studio.add(STEPS, picture(1))
    for mode in ("space", "ball", "depth"):
        studio.choose("mode", mode)
        assert studio.page.evaluate(wide) == 360, mode
        assert colours_in(studio.shot("#stage")) > 10, mode
    studio.page.touchscreen.tap(*studio.place(40, 60))
    # A finger is wider than a pixel, but the squares are wider still.
    assert studio.measured() == [pytest.approx(STEPS_M[60, 40], rel=1e-6)]
    assert studio.page.inner_text("#readout strong") == f"{STEPS_M[60, 40]:.2f} m", "stays when the finger is gone"
    small = studio.page.evaluate(
        """[...document.querySelectorAll("button, select, .segmented span")]
          .filter((e) => e.checkVisibility() && !e.classList.contains("cross"))
          .filter((e) => e.getBoundingClientRect().height < 36).map((e) => e.id || e.textContent)"""
    )
    assert small == [], "large enough for a finger"


@pytest.mark.parametrize(("width", "height"), [(932, 430), (1024, 600)], ids=["phone on its side", "netbook"])
def test_low_windows_lose_nothing(open_studio: Callable[..., Studio], width: int, height: int) -> None:
    studio = open_studio(viewport={"width": width, "height": height})
    studio.add(STEPS, picture(1))
    box = studio.page.locator("#frame").bounding_box()
    assert box["height"] > 200
    assert box["y"] + box["height"] <= height, "the whole picture is seen at once"
    studio.page.mouse.move(width / 4, height / 2)
    studio.page.mouse.wheel(0, 600)
    studio.until(f"document.getElementById('strip').getBoundingClientRect().bottom <= {height}")


def test_keyboard_alone(studio: Studio) -> None:
    page = studio.page

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to('#empty [data-act="choose"]')
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is seen"
    page.keyboard.press("Enter")
    studio.chooser().set_files(studio.file(STEPS))
    page.wait_for_selector("#download:enabled")
    tab_to("#surface")
    assert page.is_visible("#cursor")
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
    # From the middle, pixel (160, 120): 2 % of 320 are 6 pixels, with Shift one.
    column, row = 154, 113
    studio.until(f"document.getElementById('live').textContent.endsWith('column {column}, row {row}')")
    page.keyboard.press("Enter")
    assert studio.measured() == [pytest.approx(STEPS_M[row, column], rel=1e-6)]
    studio.until("document.getElementById('live').textContent.startsWith('Measurement 1: Depth')")
    tab_to("#split")
    page.keyboard.press("End")
    assert page.get_attribute("#split", "aria-valuenow") == "100"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.name") == "mode"
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#space")
    tab_to("#space")
    before = studio.shot("#space").astype(int)
    page.keyboard.press("ArrowRight")
    assert np.abs(studio.shot("#space") - before).mean() > 0.5


def test_everything_has_a_name(studio: Studio) -> None:
    studio.add(STEPS)
    nameless = studio.page.evaluate(
        """[...document.querySelectorAll("button, input, select, [role], canvas[tabindex], img")]
          .filter((e) => e.checkVisibility() && e.getAttribute("role") !== "status")
          .filter((e) => !(e.textContent.trim() || e.labels?.length || e.ariaLabel || e.alt !== undefined
                           || e.getAttribute("aria-labelledby"))).map((e) => e.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.parametrize(("scheme", "modes"), [("light", ["depth", "refocus"]), ("dark", ["space", "ball"])])
def test_no_view_is_blank(open_studio: Callable[..., Studio], scheme: str, modes: list[str]) -> None:
    studio = open_studio(viewport=SMALL, color_scheme=scheme, reduced_motion="reduce")
    empty = studio.shot()
    assert colours_in(empty) > 40
    assert (empty.mean() > 128) == (scheme == "light")
    studio.add(picture(2))
    for mode in modes:
        studio.choose("mode", mode)
        assert colours_in(studio.shot("#stage")) > 40, mode


def test_nothing_jumps_while_a_photo_is_worked_on(studio: Studio) -> None:
    studio.page.route("**/v1/depth?*", lambda route: (studio.page.wait_for_timeout(300), route.fallback()))
    boxes = []
    studio.page.set_input_files("#files", studio.file(STEPS))
    studio.page.wait_for_selector("#frame:visible")
    boxes.append(studio.page.locator("#frame").bounding_box())
    studio.page.wait_for_selector("#download:enabled")
    boxes.append(studio.page.locator("#frame").bounding_box())
    studio.click(100, 100)
    boxes.append(studio.page.locator("#frame").bounding_box())
    assert boxes[0] == boxes[1] == boxes[2]
