"""Many clients at once, and the end of a server that has work to do."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
requests = pytest.importorskip("requests", reason="needs the dev extra")

from conftest import brightness_depth_m  # noqa: E402
from serving import Running, eventually, file_of, metres_of, picture, serving  # noqa: E402

pytest_plugins = ["serving_fixtures"]

CLIENTS = 20
SIZES = [(320, 240), (240, 320), (640, 480), (400, 225)]


def send(server: Running, number: int) -> tuple[int, float]:
    """Send a photo of its own and compare the answer with what that photo must give: (status, seconds)."""
    image = picture(number, *SIZES[number % len(SIZES)])
    data = file_of(image)
    started_s = time.perf_counter()
    answer = server.post("/v1/depth?format=raw", data)
    seconds = time.perf_counter() - started_s
    if answer.status_code == 200:
        small_m = metres_of(answer)[::16, ::16]
        # Photos that are resized on the way differ by interpolation; those of other seeds by metres.
        np.testing.assert_allclose(small_m, brightness_depth_m(image)[::16, ::16], atol=0.5)
    return answer.status_code, seconds


def test_two_hundred_requests_of_twenty_clients(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(bundle, tmp_path) as server, ThreadPoolExecutor(CLIENTS) as clients:
        results = list(clients.map(lambda number: send(server, number), range(200)))
        assert [status for status, _ in results] == [200] * 200
        eventually(lambda: 'requests_total{route="/v1/depth",status="200"} 200.0' in server.get("/metrics").text)
    p50_s, p95_s = np.percentile([seconds for _, seconds in results], [50, 95])
    with capsys.disabled():
        print(f"\n200 requests, {CLIENTS} clients: p50 {p50_s * 1000:.0f} ms, p95 {p95_s * 1000:.0f} ms")


def test_answers_do_not_depend_on_who_else_asks(bundle: Path, tmp_path: Path) -> None:
    photos = [file_of(picture(number, *SIZES[number % 2])) for number in range(24)]
    with serving(bundle, tmp_path, "--batch", 8, batch_s=0.05) as server:
        alone = [server.post("/v1/depth?format=raw", photo).content for photo in photos]
        with ThreadPoolExecutor(24) as clients:
            together = list(clients.map(lambda photo: server.post("/v1/depth?format=raw", photo).content, photos))
        sizes = server.get("/metrics").text
    assert together == alone
    # It was not one after the other, or nothing was tested.
    assert 'batch_size_bucket{le="1.0"} 49.0' not in sizes


def test_sigterm_under_load_finishes_what_was_accepted(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--batch", 2, batch_s=0.4) as server:
        with ThreadPoolExecutor(14) as clients:
            first = [clients.submit(send, server, number) for number in range(10)]
            eventually(lambda: "densedepth_queue_length 10" in server.get("/metrics").text)
            os.kill(server.process.pid, signal.SIGTERM)
            time.sleep(0.2)
            assert server.get("/readyz").status_code == 503
            assert server.get("/healthz").status_code == 200
            late = server.post("/v1/depth", file_of(picture(0)))
            assert late.status_code == 503
            assert int(late.headers["Retry-After"]) >= 1
            assert [future.result()[0] for future in first] == [200] * 10
        assert server.process.wait(timeout=20) == 0
        with pytest.raises(requests.ConnectionError):
            server.get("/healthz")
        assert not list(tmp_path.glob("densedepth-serve-*"))
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        assert not [line for line in lines if line["level"] in ("warning", "error")]


def test_an_idle_server_ends_at_once(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path) as server, requests.Session() as idle:
        assert idle.get(f"{server.url}/healthz").status_code == 200
        started_s = time.monotonic()
        os.kill(server.process.pid, signal.SIGINT)
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - started_s < 5


@pytest.mark.slow
def test_memory_is_flat_after_a_thousand(bundle: Path, tmp_path: Path) -> None:
    def resident_mb(server: Running) -> float:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    if not Path("/proc/self/status").exists():
        pytest.skip("reads /proc")
    with serving(bundle, tmp_path) as server, ThreadPoolExecutor(CLIENTS) as clients:

        def burst(first: int) -> None:
            assert {status for status, _ in clients.map(lambda n: send(server, n), range(first, first + 200))} == {200}

        burst(0)
        warm_mb = resident_mb(server)
        for first in range(200, 1200, 200):
            burst(first)
        grown_mb = resident_mb(server) - warm_mb
    print(f"\n{warm_mb:.0f} MB after 200 requests, {grown_mb:+.1f} MB after 1000 more")
    assert grown_mb < 20
