"""A real `densedepth serve` process for tests, and pictures to send."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

import densedepth

SOURCE = Path(densedepth.__file__).parents[1]
START_S = 60.0


@dataclass
class Running:
    """A server process."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def post(self, path: str, data: bytes, **options: object) -> requests.Response:
        return requests.post(self.url + path, data=data, timeout=60, **options)  # type: ignore[arg-type]

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.url + path, timeout=60, **options)  # type: ignore[arg-type]

    def alive(self) -> bool:
        """It answers, not only runs."""
        return self.process.poll() is None and self.get("/healthz").status_code == 200


def eventually(
    condition: Callable[[], object], seconds: float = 30, why: Callable[[], object] = lambda: "waited in vain"
) -> None:
    """Wait until it holds: the server writes its log and counts when the answer has already gone.

    `why` says what was there instead when it was in vain.
    """
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, why()
        time.sleep(0.02)


SLOW = """
import sys, time
from densedepth.cli import main
from densedepth.serve.batching import Batcher
seconds, answer = float(sys.argv.pop(1)), Batcher._answer
Batcher._answer = lambda self, jobs: (time.sleep(seconds), answer(self, jobs))
sys.exit(main(sys.argv[1:]))
"""
"""The program, with batches that take so many seconds."""


@contextmanager
def serving(
    model: Path | str, folder: Path, *flags: object, env: dict[str, str] | None = None, batch_s: float = 0
) -> Iterator[Running]:
    """Start a server at a free port, wait until it is ready, and end it. With `batch_s` the network is that slow."""
    log = folder / "serve.log"
    program = ["-c", SLOW, str(batch_s)] if batch_s else ["-m", "densedepth"]
    command = [sys.executable, *program, "serve", "--port", "0", "--rate", "0", "--threads", "1"]
    command += ["--model", *str(model).split(), *map(str, flags)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(folder), **(env or {})}
    with log.open("w") as stderr:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.match(r"(http://127\.0\.0\.1:\d+)/ ", line)
        assert found, f"{line}{log.read_text()}"
        server = Running(process, found[1], log)
        eventually(lambda: server.get("/readyz").status_code == 200, START_S, log.read_text)
        yield server
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def picture(seed: int, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """uint8 (height, width, 3), coarse noise that differs from seed to seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))


def file_of(image: NDArray[np.uint8], form: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture's file."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, form, **options)
    return buffer.getvalue()


def metres_of(answer: requests.Response) -> NDArray[np.float32]:
    """The depth in an answer of format=raw."""
    height, width = int(answer.headers["X-Depth-Height"]), int(answer.headers["X-Depth-Width"])
    return np.frombuffer(answer.content, "<f4")[: height * width].reshape(height, width)
