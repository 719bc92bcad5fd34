"""The studio page in a real browser, against a real server whose depth can be worked out by hand."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
pytest.importorskip("requests", reason="needs the dev extra")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")

import densedepth  # noqa: E402
from conftest import brightness_depth_m, write_tiny_bundle  # noqa: E402
from densedepth.types import Camera, DepthMap  # noqa: E402
from serving import Running, file_of, picture, serving  # noqa: E402

pytestmark = pytest.mark.slow

STUDIO = Path(densedepth.__file__).parent / "serve" / "studio"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FAKE_WEBCAM = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
WIDTH, HEIGHT = 320, 240
CAMERA = Camera(260.0, 260.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
PHONE = {"width": 360, "height": 740}
# Software WebGL draws every pixel on one processor core.
SMALL = {"width": 880, "height": 500}


def steps() -> NDArray[np.uint8]:
    """Sixteen grey squares: sixteen depths, known at every pixel."""
    squares = np.random.default_rng(5).permutation(np.arange(10, 250, 15)).reshape(4, 4)
    grey = np.kron(squares, np.ones((HEIGHT // 4, WIDTH // 4))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


STEPS = steps()
STEPS_M = brightness_depth_m(STEPS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("studio")
    with serving(write_tiny_bundle(folder / "tiny.onnx"), folder, "--max-body-mb", 0.5) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs a browser: sudo apt install chromium")
    arguments = [*SOFTWARE_WEBGL, *FAKE_WEBCAM, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


class Studio:
    """The page and what a person does with it."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: message.type in ("error", "warning") and self._note(message.text))

    def _note(self, text: str) -> None:
        # Every refused request is reported there; and reading a canvas back is slow, which only tests do.
        if "Failed to load resource" not in text and "GPU stall" not in text:
            self.faults.append(text)

    def file(self, image: NDArray[np.uint8] | bytes, name: str = "photo.png") -> Path:
        path = self.folder / name
        path.write_bytes(image if isinstance(image, bytes) else file_of(image))
        return path

    def add(self, *images: NDArray[np.uint8]) -> None:
        """Choose files, and wait for the depth of the first."""
        self.page.set_input_files("#files", [self.file(image, f"photo{i}.png") for i, image in enumerate(images)])
        self.page.wait_for_selector("#download:enabled")

    def choose(self, name: str, value: str) -> None:
        """A radio button, by its words."""
        self.page.locator(f'input[name="{name}"][value="{value}"] + span').click()

    def place(self, column: int, row: int, width: int = WIDTH, height: int = HEIGHT) -> tuple[int, int]:
        """A place in the window, in whole pixels as a mouse has them, that lies in this pixel of the picture."""
        self.page.locator("#surface").scroll_into_view_if_needed()
        box = self.page.locator("#surface").bounding_box()
        left, top = box["x"] + column / width * box["width"], box["y"] + row / height * box["height"]
        return math.ceil(left + 1e-3), math.ceil(top + 1e-3)

    def click(self, column: int, row: int) -> None:
        self.page.mouse.click(*self.place(column, row))

    def measured(self) -> list[float]:
        """The list of measurements, in full precision."""
        return [float(value) for value in self.page.eval_on_selector_all("#list data", "all => all.map(d => d.value)")]

    def until(self, condition: str) -> None:
        """Wait until JavaScript finds this true. (`page.wait_for_function` needs what our policy forbids.)"""
        deadline_s = time.monotonic() + 30
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline_s, condition
            self.page.wait_for_timeout(50)

    def canvas(self, name: str) -> NDArray[np.uint8]:
        """The pixels of a canvas that is not drawn by WebGL, (H, W, 4)."""
        url = self.page.evaluate("name => document.getElementById(name).toDataURL()", name)
        return np.asarray(Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("RGBA"))

    def saved(self) -> NDArray[np.int64]:
        """The picture of refocus or ball as its button saves it, (H, W, 3)."""
        with self.page.expect_download() as download:
            self.page.locator('[data-act="save-effect"]:visible').click()
        return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)

    def shot(self, selector: str = "body") -> NDArray[np.uint8]:
        """What a person sees, (H, W, 3)."""
        return np.asarray(Image.open(BytesIO(self.page.locator(selector).screenshot())).convert("RGB"))

    def set_slider(self, name: str, value: float) -> None:
        self.page.eval_on_selector(
            f"#{name}", "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})) }", value
        )

    def answer(self, depth_m: NDArray[np.float32], uncertainty_m: NDArray[np.float32] | None = None) -> None:
        """Let the server say this depth, whatever it is asked."""
        blocks = [depth_m] if uncertainty_m is None else [depth_m, uncertainty_m]
        headers = {
            "X-Depth-Width": str(depth_m.shape[1]),
            "X-Depth-Height": str(depth_m.shape[0]),
            "X-Depth-Focal-Px": "260",
            "X-Depth-Camera-Source": "given",
            "X-Depth-Model": "fixed",
            "X-Depth-Uncertainty": str(len(blocks) - 1),
        }
        body = b"".join(block.astype("<f4").tobytes() for block in blocks)
        self.page.route("**/v1/depth?*", lambda route: route.fulfill(status=200, headers=headers, body=body))


@pytest.fixture
def open_studio(server: Running, browser: Any, tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """`open_studio(**context_options)` opens the page; at the end nothing may have gone elsewhere or wrong."""
    opened: list[tuple[Any, Studio]] = []

    def open_page(**options: Any) -> Studio:
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 640}, **options})
        context.set_default_timeout(30_000)
        studio = Studio(context.new_page(), tmp_path)
        opened.append((context, studio))
        studio.page.goto(server.url)
        studio.page.wait_for_selector(".example")
        return studio

    yield open_page
    for context, studio in opened:
        context.close()
        assert studio.faults == []
        own = (f"{server.url}/", f"blob:{server.url}/", "data:")
        assert [url for url in studio.requests if not url.startswith(own)] == []


@pytest.fixture
def studio(open_studio: Callable[..., Studio]) -> Studio:
    return open_studio()


def colours_in(image: NDArray[np.uint8]) -> int:
    """How many different colours a picture has, coarsely: one for a blank page."""
    return len(np.unique(image[..., :3].reshape(-1, 3) // 16, axis=0))


# The files


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


# Geometry


def test_geometry_agrees_with_the_package(studio: Studio) -> None:
    depth = DepthMap(STEPS_M, camera=CAMERA)
    found = studio.page.evaluate(
        """async ([places, depthM]) => {
          const g = await import("/geometry.js");
          const camera = { focalPx: 260, width: 320, height: 240 };
          return {
            xyz: places.map(([c, r]) => g.unproject(camera, c + 0.5, r + 0.5, depthM[r * 320 + c])),
            back: places.map(([c, r]) => g.project(camera, g.unproject(camera, c + 0.5, r + 0.5, 3))),
            apart: g.distance([1, 2, 3], [3, 5, 9]),
            focal35mm: g.focal35mm(camera), fovDeg: g.fovDeg(camera), blur: g.blurPx(500, 0.04, 2, 4),
          };
        }""",
        [[[0, 0], [319, 239], [160, 120], [45, 200]], STEPS_M.ravel().tolist()],
    )
    grid = depth.xyz_grid_m()
    expected = [grid[0, 0], grid[239, 319], grid[120, 160], grid[200, 45]]
    np.testing.assert_allclose(found["xyz"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["back"], [[0.5, 0.5], [319.5, 239.5], [160.5, 120.5], [45.5, 200.5]])
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


# Looking


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


# Measuring


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
    unsure_m = np.full_like(STEPS_M, 0.05)
    unsure_m[:, :160] = STEPS_M[:, :160]
    studio.answer(STEPS_M, unsure_m)
    studio.add(STEPS)
    studio.page.check("#unsure")
    veil = studio.canvas("veil")[..., 3]
    assert veil[:, :160].min() == 235
    assert veil[:, 160:].max() < 235
    studio.click(10, 10)
    assert f"± {STEPS_M[10, 10]:.2f} m" in studio.page.inner_text("#list small")
    assert "uncertain" in studio.page.inner_text("#readout")


# Space


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
    for key in ("ArrowLeft", "+", "Shift+ArrowUp"):
        before = studio.shot("#space").astype(int)
        studio.page.keyboard.press(key)
        assert np.abs(studio.shot("#space") - before).mean() > 0.5, key
    studio.choose("drawn", "points")
    studio.choose("painted", "depth")
    assert colours_in(studio.shot("#space")) > 30


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


# Refocus and ball


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


# Files


def test_downloads(studio: Studio) -> None:
    trimesh = pytest.importorskip("trimesh")
    studio.add(STEPS)
    files = {}
    for kind in ("png16", "npz", "ply", "glb", "mesh", "color"):
        if not studio.page.is_visible("#downloads"):
            studio.page.click("#download")
        with studio.page.expect_download() as download:
            studio.page.click(f'[data-format="{kind}"]')
        files[kind] = studio.folder / download.value.suggested_filename
        download.value.save_as(files[kind])
    assert len({path.name for path in files.values()}) == len(files), "names that differ"
    for kind, exact in (("png16", 6e-4), ("npz", 1e-5)):
        read = densedepth.load_depth(files[kind])
        np.testing.assert_allclose(read.depth_m, STEPS_M, atol=exact)
        assert read.camera is not None
        assert read.camera.focal_px == pytest.approx(260, abs=0.01)
    for kind in ("ply", "glb", "mesh"):
        assert trimesh.load(files[kind]).extents.max() > 1, kind
    with Image.open(files["color"]) as colored:
        assert colored.size == (WIDTH, HEIGHT)
        assert colours_in(np.asarray(colored.convert("RGB"))) > 10


# Ways in


def test_dropping_pasting_and_examples(studio: Studio) -> None:
    give = """async ([bytes, type]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "given.png", { type: "image/png" }));
      const event = type === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
        : new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    content = list(file_of(STEPS))
    studio.page.evaluate(give, [content, "dragenter"])
    assert studio.page.is_visible("#drop")
    studio.page.evaluate(give, [content, "drop"])
    studio.page.wait_for_selector("#download:enabled")
    assert not studio.page.is_visible("#drop")
    studio.page.evaluate(give, [content, "paste"])
    studio.until("document.querySelectorAll('.thumb').length === 2")
    for _ in range(2):
        studio.page.get_by_label(re.compile("^Remove given")).first.click()
    studio.page.click(".example >> nth=1")
    studio.page.wait_for_selector("#download:enabled")
    assert "kitchen" in studio.page.get_attribute("#surface", "aria-label")


def test_the_webcam(studio: Studio) -> None:
    studio.page.click('#empty [data-act="webcam"]')
    studio.page.click("#webcam-take:enabled")
    studio.page.wait_for_selector("#download:enabled")
    assert not studio.page.is_visible("#webcam-dialog")
    assert studio.page.evaluate("document.getElementById('webcam').srcObject") is None, "the camera is off again"
    assert colours_in(studio.canvas("photo")) > 2


def test_a_video_is_worked_on_and_played(studio: Studio, server: Running) -> None:
    av = pytest.importorskip("av", reason="needs pip install densedepth[video]")
    path = studio.folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for seed in range(5):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture(seed), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    studio.page.set_input_files("#files", path)
    studio.page.wait_for_selector("#player:visible", timeout=60_000)
    studio.until(f"document.getElementById('result').videoWidth >= {2 * WIDTH}")
    with studio.page.expect_download() as download:
        studio.page.click("#save-video")
    with av.open(str(download.value.path())) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5
    with studio.page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        studio.page.get_by_label("Remove clip.mp4").click()
    assert deleted.value.status == 204
    assert studio.page.is_visible("#empty")


# What can go wrong


def trouble_of(studio: Studio, file: Path) -> str:
    studio.page.set_input_files("#files", file)
    studio.page.wait_for_selector("#trouble:visible")
    return str(studio.page.inner_text("#trouble-text"))


def test_files_that_cannot_be_used(studio: Studio) -> None:
    words = trouble_of(studio, studio.file(b"no photo at all", "letter.jpg"))
    assert words.startswith("letter.jpg: ")
    assert "JPEG" in words
    studio.page.click("#discard")
    assert studio.page.is_visible("#empty")
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    assert "too large" in trouble_of(studio, studio.file(noise, "large.png"))
    studio.page.click("#discard")
    broken = file_of(picture(1))[:2000]
    assert "broken.png: " in trouble_of(studio, studio.file(broken, "broken.png"))
    # The page goes on working.
    studio.add(STEPS)


def test_a_server_that_is_gone(studio: Studio) -> None:
    studio.page.route("**/v1/depth?*", lambda route: route.abort())
    words = trouble_of(studio, studio.file(STEPS))
    assert "densedepth serve" in words
    studio.page.unroute("**/v1/depth?*")
    studio.page.click("#retry")
    studio.page.wait_for_selector("#download:enabled")
    assert not studio.page.is_visible("#trouble")


def test_a_busy_server_is_asked_again(studio: Studio) -> None:
    refused = []

    def busy(route: Any) -> None:
        if refused:
            route.fallback()
            return
        refused.append(route.request.url)
        route.fulfill(status=503, headers={"Retry-After": "1"}, body=json.dumps({"error": "full"}))

    studio.page.route("**/v1/depth?*", busy)
    studio.page.set_input_files("#files", studio.file(STEPS))
    studio.until("document.getElementById('busy-text').textContent.includes('busy')")
    studio.page.wait_for_selector("#download:enabled")


def test_a_token_is_asked_for_once_and_kept(studio: Studio) -> None:
    def guarded(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer sesame":
            route.fallback()
        else:
            route.fulfill(status=401, body=json.dumps({"error": "token is missing or wrong"}))

    studio.page.route("**/v1/**", guarded)
    studio.page.set_input_files("#files", studio.file(STEPS))
    studio.page.wait_for_selector("#token-dialog[open]")
    studio.page.fill("#token", "wrong")
    studio.page.keyboard.press("Enter")
    studio.page.wait_for_selector("#token-wrong:visible")
    studio.page.fill("#token", "sesame")
    studio.page.click("#token-send")
    studio.page.wait_for_selector("#download:enabled")
    studio.page.reload()
    studio.page.wait_for_selector(".example")
    assert not studio.page.is_visible("#token-dialog"), "kept in this tab"


def test_several_photos_and_cancelling(studio: Studio) -> None:
    held: list[Any] = []
    # The first two are never answered.
    studio.page.route("**/v1/depth?*", lambda route: held.append(route) if len(held) < 2 else route.fallback())
    studio.page.set_input_files("#files", [studio.file(STEPS, f"{name}.png") for name in "abc"])
    for left in (3, 2):
        studio.until(f"document.querySelectorAll('.thumb').length === {left}")
        studio.page.wait_for_selector("#busy:visible")
        studio.page.wait_for_timeout(200)
        studio.page.click("#cancel")
    studio.page.wait_for_selector("#download:enabled")
    assert studio.page.locator(".thumb").count() == 1


# Who looks at it, and on what


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
    small = studio.page.evaluate(
        """[...document.querySelectorAll("button, select, .segmented span")]
          .filter((e) => e.checkVisibility() && !e.classList.contains("cross"))
          .filter((e) => e.getBoundingClientRect().height < 36).map((e) => e.id || e.textContent)"""
    )
    assert small == [], "large enough for a finger"


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
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(studio.file(STEPS))
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
