"""Videos over HTTP: handed in, watched, fetched, deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")
requests = pytest.importorskip("requests", reason="needs the dev extra")

from serving import Running, eventually, serving  # noqa: E402
from test_video import pictures, times_of, write_clip  # noqa: E402

pytest_plugins = ["serving_fixtures"]

PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", pictures(12), codec="libx264")
    return path.read_bytes()


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(bundle, folder, "--videos", 2, "--max-video-mb", 1, "--max-megapixels", 1) as running:
        yield running


def wait_for(server: Running, video: str, *states: str) -> dict[str, object]:
    deadline_s = time.monotonic() + 60
    while True:
        status: dict[str, object] = server.get(f"/v1/videos/{video}").json()
        if status["state"] in states:
            return status
        assert time.monotonic() < deadline_s, status
        time.sleep(0.05)


def hand_in(server: Running, clip: bytes, query: str = "") -> str:
    answer = server.post(f"/v1/videos{query}", clip, headers={"Content-Type": "video/mp4"})
    assert answer.status_code == 202, answer.text
    video: str = answer.json()["id"]
    return video


def files_of(server: Running) -> list[Path]:
    return [path for path in server.log.parent.glob("densedepth-serve-*/**/*") if path.is_file()]


def test_a_video_from_start_to_end(server: Running, clip: bytes, tmp_path: Path) -> None:
    video = hand_in(server, clip, "?fov_deg=60")
    status = wait_for(server, video, "done", "failed")
    assert status == {"state": "done", "frames_done": 12, "frames_total": 12, "error": None, "remarks": []}
    result = server.get(f"/v1/videos/{video}/result")
    assert (result.status_code, result.headers["Content-Type"]) == (200, "video/mp4")
    (tmp_path / "out.mp4").write_bytes(result.content)
    assert len(times_of(tmp_path / "out.mp4")) == 12
    part = server.get(f"/v1/videos/{video}/result", headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.content)) == (206, 100)
    assert requests.delete(f"{server.url}/v1/videos/{video}").status_code == 204
    assert server.get(f"/v1/videos/{video}").status_code == 404
    assert not files_of(server)


def test_as_a_form(server: Running, clip: bytes) -> None:
    answer = server.post("/v1/videos", b"", files={"file": ("../../x.mp4", clip, "video/mp4")})
    assert answer.status_code == 202
    assert wait_for(server, answer.json()["id"], "done", "failed")["state"] == "done"
    requests.delete(f"{server.url}/v1/videos/{answer.json()['id']}")


@pytest.mark.parametrize(
    ("data", "declared", "status"),
    [
        (b"", "video/mp4", 400),
        (b"hello", "text/plain", 415),
        (b"hello, this is no video", "video/mp4", 415),
        (PLAYLIST, "video/mp4", 415),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4", 415),
        (b"\0\0\0\x20ftypisom" + bytes(500), "video/mp4", 422),
        (bytes(1_000_001), "video/mp4", 413),
    ],
)
def test_what_is_no_video(server: Running, data: bytes, declared: str, status: int) -> None:
    answer = server.post("/v1/videos", data, headers={"Content-Type": declared})
    assert answer.status_code == status, answer.text
    assert str(server.log.parent) not in answer.text
    assert not files_of(server)


def test_frames_that_are_too_large(server: Running, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "large.mp4", pictures(1, 1280, 960), codec="libx264")
    answer = server.post("/v1/videos", path.read_bytes())
    assert answer.status_code == 413, answer.text
    assert "1280 x 960" in answer.json()["error"]


def test_places_are_bounded_and_cancelling_frees_them(bundle: Path, clip: bytes, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--videos", 2, "--batch", 1, batch_s=0.2) as server:
        running, queued = hand_in(server, clip), hand_in(server, clip)
        refused = server.post("/v1/videos", clip)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
        wait_for(server, running, "running")
        assert server.get(f"/v1/videos/{running}/result").status_code == 409
        for video in (running, queued):
            assert requests.delete(f"{server.url}/v1/videos/{video}").status_code == 204
        again = hand_in(server, clip)
        assert wait_for(server, again, "running", "queued")
        eventually(lambda: len(files_of(server)) <= 2, 20, lambda: files_of(server))
        # Ends while one is being worked on.
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
        assert not list(tmp_path.glob("densedepth-serve-*"))


def test_long_videos_are_cut_with_a_remark_and_results_do_not_stay(bundle: Path, clip: bytes, tmp_path: Path) -> None:
    with serving(bundle, tmp_path, "--max-video-frames", 5, "--video-ttl-s", 2) as server:
        video = hand_in(server, clip)
        status = wait_for(server, video, "done", "failed")
        assert (status["state"], status["frames_done"]) == ("done", 5)
        assert status["remarks"] == ["only the first 5 frames; this server takes no more"]
        eventually(lambda: server.get(f"/v1/videos/{video}").status_code == 404, 20)
        eventually(lambda: not files_of(server))
