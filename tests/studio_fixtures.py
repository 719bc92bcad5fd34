"""A server and a browser for the tests of the studio: `pytest_plugins = ["studio_fixtures"]`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from conftest import write_tiny_bundle
from serving import Running, serving
from studio import Studio

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FAKE_WEBCAM = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("studio")
    with serving(
        write_tiny_bundle(folder / "tiny.onnx"), folder, "--max-body-mb", 0.5, "--max-video-frames", 4
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs a browser: sudo apt install chromium")
    arguments = [*SOFTWARE_WEBGL, *FAKE_WEBCAM, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield launched
        launched.close()


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
