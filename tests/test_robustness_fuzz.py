"""The fuzzer itself: its undamaged files are valid, it is repeatable, and it notices what it is there to notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
READERS = ["images", "depth", "card", "csv", "mat5", "npy", "zip", "tar", "kitti"]


def fuzz(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, FUZZ / "run.py", *map(str, words)], capture_output=True, text=True)


def test_some_cases_of_the_quick_readers(tmp_path: Path) -> None:
    done = fuzz(*READERS, "--seconds", 120, "--cases", 40, "--findings", tmp_path / "found")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(": 40 cases")[0] for line in lines] == READERS
    assert not (tmp_path / "found").exists()


@pytest.mark.slow
def test_some_cases_of_the_others(tmp_path: Path) -> None:
    pytest.importorskip("av")
    pytest.importorskip("openvino")
    names = ["onnx", "openvino", "h5", "video", "checkpoint"]
    done = fuzz(*names, "--seconds", 300, "--cases", 20, "--findings", tmp_path / "found")
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED = """
import sys
sys.path.insert(0, {fuzz!r})
from pathlib import Path
import readers, run
from seeds import Seed

def read(path):
    from densedepth.errors import DataError
    data = path.read_bytes()
    if data == b"0123456789": return
    {what}

readers.READERS["planted"] = readers.Reader(lambda: [Seed("a.txt", b"0123456789")], read)
if __name__ == "__main__":
    run.CPU_S = 1
    clean = run.fuzz("planted", 0, 60, 0, 2, Path(sys.argv[1]))
    sys.exit(0 if clean else 1)
"""


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("raise DataError(f'{path}: no')", None),
        ("raise KeyError(1)", "KeyError"),
        ("raise DataError('no')", "names no file"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os._exit(3)", "exit status 3"),
        ("bytearray(100 << 30)", "MemoryError"),
    ],
)
def test_what_it_notices(what: str, named: str | None, tmp_path: Path) -> None:
    program, found = tmp_path / "planted.py", tmp_path / "found"
    program.write_text(PLANTED.format(fuzz=str(FUZZ), what=what))
    done = subprocess.run([sys.executable, program, found], capture_output=True, text=True)
    assert done.returncode == (named is not None), done.stdout + done.stderr
    texts = [path.read_text() for path in found.glob("*.txt.txt")] if found.exists() else []
    assert len(texts) == (0 if named is None else 2)
    assert all(named is not None and named in text and "--first" in text for text in texts)
