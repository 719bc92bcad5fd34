"""Faults of the machine under the commands that write: a full disk, a folder that may not be written, a process killed
between writing a file and giving it its name, and clocks that run backwards.

Afterwards every file that has its name is whole, and the same command comes to the same end as one that was left alone.
Training, video, the server, the hub and workers of Ray have tests of their own for this: see docs/reliability.md.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import TRAINED, write_tiny_bundle
from densedepth.cli import main
from densedepth.io import load_depth
from densedepth.runtime import Bundle, Card

COMMANDS = ["predict", "synth", "prepare", "fill", "export"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, a folder of photos and a small data set."""
    root = tmp_path_factory.mktemp("inputs")
    # With a card of some pages: half of it is more than nothing.
    card = Card("tiny", TRAINED, (0.1, 10.0), training_data="x" * 20_000)
    write_tiny_bundle(root / "tiny.onnx", card=card.to_json())
    (root / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(root / "photos" / f"{number}.png")
    assert main(words("synth", root, root / "rooms")) == 0
    return root


def words(command: str, inputs: Path, out: Path) -> list[str]:
    """A command line that writes below ``out``, a folder that need not be there."""
    one = ["--workers", "1"]
    return {
        "predict": ["predict", str(inputs / "photos"), "-o", str(out), "--model", str(inputs / "tiny.onnx"), *one],
        "synth": ["data", "synth", "--out", str(out), "--frames", "8", "--size", "64x48", *one],
        "prepare": ["data", "prepare", "--root", str(inputs / "rooms"), "--out", str(out), *one],
        "fill": ["data", "fill", "--dataset", "nyu", "--root", str(inputs / "rooms"), "--out", str(out), *one],
        "export": ["export", str(inputs / "tiny.onnx"), str(out / "out.onnx")],
    }[command]


def files(out: Path) -> dict[str, bytes]:
    """All files by name, less those that are still being written, which are hidden."""
    found = (path for path in sorted(out.rglob("*")) if path.is_file() and not path.name.startswith(".densedepth-"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def check_whole(out: Path) -> None:
    """Every file can be read to its end by the reader of its kind."""
    for path in out.rglob("*"):
        if path.name.startswith(".densedepth-"):
            continue
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as picture:
                picture.load()
        if path.name.endswith("_depth.png"):
            load_depth(path)
        if path.suffix == ".tar":
            with tarfile.open(path) as tar:
                assert all(tar.extractfile(member).read() for member in tar)  # type: ignore[union-attr]
        if path.suffix == ".onnx":
            Bundle(path)


def no_leftovers(out: Path) -> None:
    assert [path.name for path in out.rglob(".densedepth-*")] == []


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """What a command writes when it is left alone."""
    known: dict[str, dict[str, bytes]] = {}

    def result(command: str) -> dict[str, bytes]:
        if command not in known:
            out = tmp_path_factory.mktemp(command) / "out"
            assert main(words(command, inputs, out)) == 0
            known[command] = files(out)
        return known[command]

    return result


def goes_on(command: str, inputs: Path, out: Path, expected: Callable[[str], dict[str, bytes]]) -> None:
    """The same command again, and what is there then."""
    assert main(words(command, inputs, out)) == 0
    found, wanted = files(out), expected(command)
    # The journal of fill is in the order in which frames were done.
    assert found.keys() == wanted.keys()
    assert [name for name in found if found[name] != wanted[name]] == []
    check_whole(out)


def one_line(text: str) -> None:
    """One line for each problem, never a traceback."""
    lines = [line for line in text.splitlines() if not line.startswith("device: ")]
    assert lines
    assert "Traceback" not in text
    assert all(line.startswith("error: ") for line in lines), text


# A disk that is full, or may not be written.


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize(
    ("command", "after"),
    [*((command, 0) for command in COMMANDS), ("predict", 3), ("synth", 3), ("prepare", 1), ("fill", 3)],
)
def test_a_disk_that_refuses(
    command: str,
    after: int,
    number: int,
    inputs: Path,
    expected: Callable[[str], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """From the first file on, or after some have been written."""
    wanted = expected(command)
    touch, made = Path.touch, []

    def refusing(path: Path, exist_ok: bool) -> None:
        if path.is_relative_to(tmp_path):
            made.append(1)
            if len(made) > after:
                raise OSError(number, os.strerror(number), str(path))
        touch(path, exist_ok=exist_ok)

    out = tmp_path / "out"
    capfd.readouterr()
    with monkeypatch.context() as during:
        during.setattr(Path, "touch", refusing)
        status = main(words(command, inputs, out))
    assert len(made) > after, "nothing was refused: the test proves nothing"
    assert status == 1
    one_line(capfd.readouterr().err)
    if command not in ("prepare", "fill"):  # their index and journal say what is done already
        assert {name: data for name, data in wanted.items() if name in files(out)} == files(out)
    check_whole(out)
    no_leftovers(out)
    goes_on(command, inputs, out, expected)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk in memory with the given options; skips where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(options: str) -> Path:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True)
        if done.returncode:
            pytest.skip("needs the right to mount a small disk")
        return place

    if not sys.platform.startswith("linux"):
        pytest.skip("mounts a disk as Linux does")
    yield mounted
    if os.path.ismount(place):
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_that_is_really_full(
    command: str,
    inputs: Path,
    expected: Callable[[str], dict[str, bytes]],
    disk: Callable[[str], Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    needed = sum(-(-len(data) // 4096) * 4096 for data in expected(command).values())
    place = disk(f"size={needed // 2 // 4096 * 4096}")
    capfd.readouterr()
    status = main(words(command, inputs, place / "out"))
    error = capfd.readouterr().err
    assert (status, "No space left" in error) == (1, True), error
    one_line(error)
    check_whole(place)
    no_leftovers(place)
    subprocess.run(["mount", "-o", "remount,size=20m", place], check=True)
    goes_on(command, inputs, place / "out", expected)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_that_is_read_only(
    command: str, inputs: Path, disk: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    place = disk("size=1m,ro")
    assert main(words(command, inputs, place / "out")) == 1
    one_line(capfd.readouterr().err)
    assert list(place.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_read_only(
    command: str, inputs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    assert main(words(command, inputs, place / "out")) == 1
    one_line(capfd.readouterr().err)


# A process that is killed.

KILLED = """
import os, signal, sys
replace, seen = os.replace, []
def dying(source, target):
    if str(target).startswith(sys.argv[1]):
        seen.append(target)
        if len(seen) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = dying
from densedepth.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("command", "file"),
    [("predict", 4), ("synth", 6), ("prepare", 2), ("fill", 7), ("export", 1), ("synth", 18), ("fill", 10)],
)
def test_killed_when_a_file_is_written_but_has_no_name_yet(
    command: str, file: int, inputs: Path, expected: Callable[[str], dict[str, bytes]], tmp_path: Path
) -> None:
    """At the n-th file: in the middle of the frames, and at the tables that are written last."""
    out = tmp_path / "out"
    code = [sys.executable, "-c", KILLED, str(tmp_path), str(file), *words(command, inputs, out)]
    done = subprocess.run(code, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(out.rglob(".densedepth-*"))) == 1, "it was not killed in the middle of a file"
    check_whole(out)
    goes_on(command, inputs, out, expected)


# Clocks.


@pytest.mark.parametrize("command", COMMANDS)
def test_a_clock_that_runs_backwards(
    command: str,
    inputs: Path,
    expected: Callable[[str], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No file depends on the time, and no file is done again, or left as it is, for its time."""
    wanted, start_s = expected(command), time.time()
    calls = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: start_s - 3600 * next(calls))
    out = tmp_path / "out"
    assert main(words(command, inputs, out)) == 0
    assert files(out) == wanted
    # Written by a machine ten years ahead.
    for path in out.rglob("*"):
        os.utime(path, (start_s + 3e8, start_s + 3e8))
    goes_on(command, inputs, out, expected)
