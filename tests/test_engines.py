"""The ray engine gives what the plain run gives, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import MakeBundle
from densedepth.cli import main
from densedepth.commands.engines import on_ray

pytest.importorskip("ray", reason="needs an extra: pip install densedepth[ray]")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One local Ray with two cores for all tests here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def write_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02}.png")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_predict_gives_the_same_files(tmp_path: Path, tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(tmp_path / "photos", 12)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    bundle = tiny_bundle()
    monkeypatch.chdir(tmp_path)  # relative paths must mean the same to workers
    words = ["predict", "photos", "--model", str(bundle.relative_to(tmp_path)), "--format", "png16", "npz"]
    assert main([*words, "-o", "plain"]) == 1
    assert main([*words, "-o", "spread", "--engine", "ray", "--workers", "2"]) == 1
    assert contents(tmp_path / "plain") == contents(tmp_path / "spread")
    assert len(contents(tmp_path / "spread")) == 24


def test_what_is_there_is_skipped(tmp_path: Path, tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]) -> None:
    write_photos(tmp_path / "photos", 3)
    words = ["predict", str(tmp_path / "photos"), "-o", str(tmp_path / "out"), "--model", str(tiny_bundle())]
    assert main([*words, "--engine", "ray"]) == 0
    assert main([*words, "--engine", "ray"]) == 0
    assert "0 predicted; 3 skipped" in capsys.readouterr().out


def test_data_fill_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("images", "depth"):
        (tmp_path / "own" / name).mkdir(parents=True)
    for number in range(6):
        rng = np.random.default_rng(number)
        depth_mm = rng.integers(1000, 3000, (24, 32), dtype=np.uint16)
        depth_mm[rng.random(depth_mm.shape) < 0.4] = 0
        photo = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / f"own/images/{number}.png")
        Image.fromarray(depth_mm).save(tmp_path / f"own/depth/{number}.png")
    monkeypatch.chdir(tmp_path)
    words = ["data", "fill", "--root", "own", "--options.metres_per_unit", "0.001", "--workers", "2"]
    assert main([*words, "--out", "plain"]) == 0
    assert main([*words, "--out", "spread", "--engine", "ray"]) == 0
    plain, spread = contents(tmp_path / "plain"), contents(tmp_path / "spread")
    # The journal is in the order in which frames were done.
    assert sorted(plain.pop("fill.jsonl").splitlines()) == sorted(spread.pop("fill.jsonl").splitlines())
    assert plain == spread
    assert len(spread) == 13


def worker_that_dies(folder: Path, dies_at: int) -> Callable[[int], int]:
    """Writes a file for each job; at the job `dies_at` its process is killed, once."""

    # Inside the function: this module is not there in Ray's processes.
    def work(job: int) -> int:
        time.sleep(0.05)
        died = folder / "died"
        if job == dies_at and not died.exists():
            died.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / str(job)).write_text(str(job))
        return job

    return work


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    work = worker_that_dies(tmp_path, dies_at=17)
    results = [result for _, result in on_ray(lambda: work, list(range(40)), workers=2)]
    assert (tmp_path / "died").exists(), "no worker was killed: the test proves nothing"
    assert sorted(results) == list(range(40))
    assert all((tmp_path / str(job)).read_text() == str(job) for job in range(40))


def test_no_jobs_need_no_cluster() -> None:
    assert list(on_ray(lambda: str, [], workers=2)) == []
