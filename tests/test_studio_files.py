"""The studio: how photos and videos come in, what can go wrong with them, and files to keep."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import densedepth
from studio import HEIGHT, STEPS, STEPS_M, WIDTH, Running, Studio, colours_in, file_of, picture

pytest_plugins = ["studio_fixtures"]
pytestmark = pytest.mark.slow


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
    missed: list[Any] = []

    def miss_once(route: Any) -> None:
        if route.request.method == "GET" and not missed:
            missed.append(route)
            route.abort()
        else:
            route.fallback()

    studio.page.route("**/v1/videos/*", miss_once)
    studio.page.set_input_files("#files", path)
    studio.page.wait_for_selector("#player:visible", timeout=60_000)
    assert missed
    assert "Only the first 4 frames" in studio.page.inner_text("#video-hint")
    assert not studio.page.is_visible("#tta"), "for photos only"
    studio.until(f"document.getElementById('result').videoWidth >= {2 * WIDTH}")
    with studio.page.expect_download() as download:
        studio.page.click("#save-video")
    with av.open(str(download.value.path())) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
    with studio.page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        studio.page.get_by_label("Remove clip.mp4").click()
    assert deleted.value.status == 204
    assert studio.page.is_visible("#empty")


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
    studio.page.click("#discard")
    assert "empty" in trouble_of(studio, studio.file(b"", "nothing.png"))
    # The page goes on working.
    studio.add(STEPS)


def test_a_file_that_is_gone_is_not_the_servers_fault(studio: Studio) -> None:
    path = studio.file(STEPS)
    studio.page.set_input_files("#files", path)
    studio.page.wait_for_selector("#download:enabled")
    path.unlink()
    studio.page.check("#tta")
    studio.page.wait_for_selector("#trouble:visible")
    assert "moved or deleted" in studio.page.inner_text("#trouble-text")


def test_a_photo_that_only_the_server_can_read(studio: Studio) -> None:
    path = studio.folder / "scan.tiff"
    Image.fromarray(STEPS).save(path)
    studio.page.set_input_files("#files", path)
    studio.page.wait_for_selector("#download:enabled")
    assert "cannot show photos of this kind" in studio.page.inner_text("#toast")
    near = 255 * (1 - (STEPS_M - STEPS_M.min()) / np.ptp(STEPS_M))
    assert np.abs(studio.canvas("photo")[..., 0] - near).mean() < 5


def test_a_server_that_is_gone(studio: Studio) -> None:
    studio.page.route("**/v1/depth?*", lambda route: route.abort())
    words = trouble_of(studio, studio.file(STEPS))
    assert "densedepth serve" in words
    studio.page.unroute("**/v1/depth?*")
    studio.page.click("#retry")
    studio.page.wait_for_selector("#download:enabled")
    assert not studio.page.is_visible("#trouble")


def test_a_busy_server_is_asked_again(studio: Studio) -> None:
    refused: list[str] = []

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
