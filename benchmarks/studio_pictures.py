"""Take the pictures of the studio in docs/images anew, from an example photo.

    python benchmarks/studio_pictures.py

Needs Chromium and `pip install densedepth[serve] playwright`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import serve_load
from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

OUT = Path(__file__).resolve().parents[1] / "docs" / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = ViewportSize(width=1280, height=800)


def main() -> None:
    command = [sys.executable, "-m", "densedepth", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[0]
        serve_load.wait_until_ready(url)
        with sync_playwright() as playwright:
            flags = [*FLAGS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            measuring(browser.new_page(viewport=SIZE, color_scheme="light"), url)
            in_space(browser.new_page(viewport=SIZE, color_scheme="dark"), url)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def open_example(page: Page, url: str) -> None:
    page.goto(url)
    page.click(".example >> nth=0")
    page.wait_for_selector("#download:enabled")


def choose(page: Page, name: str, value: str) -> None:
    page.locator(f'input[name="{name}"][value="{value}"] + span').click()


def at(page: Page, u: float, v: float) -> tuple[float, float]:
    box = page.locator("#surface").bounding_box()
    assert box is not None
    return box["x"] + u * box["width"], box["y"] + v * box["height"]


def measuring(page: Page, url: str) -> None:
    open_example(page, url)
    page.mouse.click(*at(page, 0.72, 0.55))
    choose(page, "tool", "length")
    page.mouse.click(*at(page, 0.29, 0.66))
    page.mouse.click(*at(page, 0.60, 0.72))
    page.mouse.move(*at(page, 0.86, 0.3))
    take(page, "studio.jpg")


def in_space(page: Page, url: str) -> None:
    open_example(page, url)
    choose(page, "mode", "space")
    take(page, "studio_3d.jpg")


def take(page: Page, name: str) -> None:
    # Software rendering needs a moment for its first picture.
    page.wait_for_timeout(1500)
    Image.open(BytesIO(page.screenshot())).convert("RGB").save(OUT / name, quality=88)
    print(OUT / name)


if __name__ == "__main__":
    main()
