"""What a server refuses, and that it lives on: hostile files, hostile clients, too many of them."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
requests = pytest.importorskip("requests", reason="needs the dev extra")

from fastapi import Request  # noqa: E402

from densedepth.serve.gate import RateLimiter, client_of  # noqa: E402
from densedepth.serve.problems import Refused  # noqa: E402
from densedepth.serve.settings import Settings  # noqa: E402
from serving import Running, file_of, picture, serving  # noqa: E402

pytest_plugins = ["serving_fixtures"]

PNG = file_of(picture(0))
JPEG = file_of(picture(0), "JPEG")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(bundle, tmp_path_factory.mktemp("serve"), "--max-body-mb", 2, "--max-megapixels", 4) as running:
        yield running


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zipped() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../photo.png", PNG)
    return buffer.getvalue()


@pytest.mark.parametrize("path", ["/v1/depth", "/v1/points"])
@pytest.mark.parametrize(
    ("data", "declared", "status"),
    [
        (b"", None, 400),
        (SVG, None, 415),
        (SVG, "image/svg+xml", 415),
        (SVG, "image/png", 415),
        (b"hello", "text/plain", 415),
        (b"hello", "image/jpeg", 415),
        (zipped(), "application/zip", 415),
        (zipped(), "image/jpeg", 415),
        (b"{}", "application/json", 415),
        (PNG[:30], "image/png", 422),
        (PNG[: len(PNG) // 2], "image/png", 422),
        (JPEG[: len(JPEG) // 2], "image/jpeg", 422),
        (b"\xff\xd8\xff" + bytes(500), "image/jpeg", 422),
        (png_that_claims(60_000, 60_000), "image/png", 413),
        (png_that_claims(2100, 2000), "image/png", 413),
        (png_that_claims(2000, 1999), "image/png", 422),
        (bytes(2_000_001), "image/png", 413),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data", 400),
    ],
)
def test_files_that_are_no_photos(server: Running, path: str, data: bytes, declared: str | None, status: int) -> None:
    answer = server.post(path, data, headers={"Content-Type": declared} if declared else {})
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert server.alive()


def test_a_form_without_the_file(server: Running) -> None:
    answer = server.post("/v1/depth", b"", files={"photo": ("a.png", PNG)})
    assert answer.status_code == 400
    assert "field 'file'" in answer.json()["error"]


def test_an_endless_body_is_cut_off(server: Running) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(50_000)

    started_s = time.monotonic()
    answer = requests.post(f"{server.url}/v1/depth", data=pieces(), timeout=30)
    assert answer.status_code == 413
    assert time.monotonic() - started_s < 15
    assert server.alive()


def test_a_declared_size_is_enough_to_refuse(server: Running) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(20)
        client.sendall(
            b"POST /v1/depth HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


def test_what_is_not_http(server: Running) -> None:
    for data in (b"\x16\x03\x01\x02\x00nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.settimeout(20)
            client.sendall(data)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1000)[9:12] in (b"400", b"")
    assert server.alive()


def test_slow_heads_and_slow_bodies_are_closed(bundle: Path, tmp_path: Path) -> None:
    head = b"POST /v1/depth HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    with serving(bundle, tmp_path, "--timeout-s", 2) as server:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
        silent, slow_head, slow_body = clients[:20], clients[20:40], clients[40:]
        for client in slow_head:
            client.sendall(head)
        for client in slow_body:
            client.sendall(head + b"\r\n\x89PNG")
        started_s = time.monotonic()
        # All others are served meanwhile.
        assert server.post("/v1/depth", PNG).status_code == 200
        for client in slow_head + slow_body:
            client.sendall(b"X")
        for client in slow_body:
            client.settimeout(20)
            assert client.recv(100).startswith(b"HTTP/1.1 408")
        for client in silent + slow_head:
            client.settimeout(20)
            assert client.recv(100) == b""
        assert time.monotonic() - started_s < 20
        assert server.alive()
        for client in clients:
            client.close()


def test_the_token(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, env={"DENSEDEPTH_TOKEN": "sesame"}) as server:
        right = {"Authorization": "Bearer sesame"}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sesame"}):
            answers = [server.post("/v1/depth", PNG, headers=headers), server.get("/v1/models", headers=headers)]
            answers.append(server.get("/metrics", headers=headers))
            assert [answer.status_code for answer in answers] == [401] * 3
            assert answers[0].headers["WWW-Authenticate"] == "Bearer"
        assert server.post("/v1/depth", PNG, headers=right).status_code == 200
        assert server.get("/metrics", headers=right).status_code == 200
        for open_to_all in ("/healthz", "/readyz", "/docs", "/openapi.json", "/examples/kitchen.jpg"):
            assert server.get(open_to_all).status_code == 200
        schemes = server.get("/openapi.json").json()["components"]["securitySchemes"]
        assert schemes == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}


def test_the_rate_of_one_client(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--rate", 0.4) as server:
        answers = [server.post("/v1/depth", PNG) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert int(answers[3].headers["Retry-After"]) in (1, 2, 3)
        assert server.get("/v1/models").status_code == 200
        assert 'densedepth_rejected_total{status="429"} 2.0' in server.get("/metrics").text
        time.sleep(int(answers[3].headers["Retry-After"]))
        assert server.post("/v1/depth", PNG).status_code == 200


def test_the_bucket_fills_by_the_clock() -> None:
    now_s = 0.0
    limiter = RateLimiter(2, lambda: now_s)

    def allowed(client: str) -> bool:
        try:
            limiter.check(client)
        except Refused:
            return False
        return True

    assert [allowed("a") for _ in range(11)] == [True] * 10 + [False]
    assert allowed("b")
    now_s = 0.6
    assert [allowed("a"), allowed("a")] == [True, False]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
    ],
)
def test_whom_the_rate_counts_for(host: str, counted: str) -> None:
    assert client_of(Request({"type": "http", "client": (host, 1)})) == counted


def test_a_full_queue_says_when_to_come_back(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--queue", 2, "--batch", 1, batch_s=0.7) as server:
        with ThreadPoolExecutor(6) as clients:
            answers = list(clients.map(lambda _: server.post("/v1/depth", PNG), range(6)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200, 200, 503, 503, 503, 503]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert all(1 <= int(answer.headers["Retry-After"]) <= 10 for answer in refused)
        assert server.post("/v1/depth", PNG).status_code == 200


def test_a_photo_that_takes_too_long(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--timeout-s", 0.5, "--batch", 1, batch_s=1.0) as server:
        answer = server.post("/v1/depth", PNG)
        assert answer.status_code == 504
        assert server.alive()
        assert "densedepth_queue_length 0" in server.get("/metrics").text


@pytest.mark.parametrize("wrong", [{"queue": 0}, {"timeout_s": float("nan")}, {"max_body_mb": -1}])
def test_limits_must_make_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]
