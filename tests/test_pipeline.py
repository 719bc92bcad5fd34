"""Many photos at the same time: same files, same order, same lines, bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import MakeBundle
from densedepth import cli
from densedepth.commands.engines import Budget, in_threads


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_jobs_are_begun_as_they_are_taken(workers: int) -> None:
    begun: list[int] = []

    def work(job: int) -> int:
        begun.append(job)
        time.sleep(0.001 * ((job * 7) % 5))
        return job * job

    results = in_threads(work, range(40), workers)
    for number, result in enumerate(results):
        assert result == number * number
        assert len(begun) <= number + 2 * workers


def test_all_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)
    assert list(in_threads(lambda job: together.wait() < 3, range(6), 3)) == [True] * 6


def test_when_the_taker_stops_no_job_is_begun() -> None:
    begun: list[int] = []
    results = in_threads(lambda job: begun.append(job), range(1000), 2)
    next(results)
    assert isinstance(results, Iterator)
    results.close()  # type: ignore[attr-defined]
    count = len(begun)
    time.sleep(0.02)
    assert len(begun) == count < 10


def test_an_interruption_in_a_thread_reaches_the_taker() -> None:
    def work(job: int) -> int:
        if job == 3:
            raise KeyboardInterrupt
        return job

    with pytest.raises(KeyboardInterrupt):
        list(in_threads(work, range(10), 2))


def test_a_budget_is_never_overspent_and_the_largest_gets_its_turn() -> None:
    budget = Budget(10)
    spent, most, done = 0, 0, []
    lock = threading.Lock()

    def work(amount: int) -> None:
        nonlocal spent, most
        with budget.spent(amount):
            with lock:
                spent += amount
                most = max(most, spent) if amount <= 10 else most
                assert amount <= 10 or spent == amount, "what is larger than the budget has to be alone"
            time.sleep(0.001)
            with lock:
                spent -= amount
                done.append(amount)

    amounts = [3, 4, 25, 5, 10, 1, 2, 25, 6, 7] * 3
    list(in_threads(work, amounts, 6))
    assert sorted(done) == sorted(amounts)
    assert most <= 10


def test_a_budget_is_given_back_after_an_error() -> None:
    budget = Budget(1)
    with pytest.raises(ValueError, match="x"), budget.spent(1):
        raise ValueError("x")
    with budget.spent(1):
        pass


def test_a_folder_gives_the_same_with_any_number_of_workers(
    tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (48 + number, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "in" / f"{number:02}.png")
    (tmp_path / "in" / "05b.jpg").write_text("no picture")
    told = []
    for workers in (1, 4):
        out = tmp_path / f"out{workers}"
        words = ["predict", tmp_path / "in", "-o", out, "--model", tiny_bundle(), "--workers", workers]
        assert cli.main([*map(str, words), "--format", "png16", "color", "npz"]) == 1
        output = capsys.readouterr()
        lines = [line.partition("  (")[0].replace(str(out), "OUT") for line in output.out.splitlines()[:12]]
        assert [Path(line.partition(" -> ")[0]).stem for line in lines] == [f"{number:02}" for number in range(12)]
        assert "12 predicted; 1 failed" in output.out
        told.append((lines, output.err))
    assert told[0] == told[1]
    files = {path.name: path.read_bytes() for path in (tmp_path / "out1").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "out4").iterdir()}
    assert len(files) == 36
