"""The walkthrough docs/own-frames.md: its commands run, on the frames it makes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from densedepth.cli import main

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "own-frames.md").read_text(), re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("densedepth ")]
#: The same run in a minute.
SMALLER = ["--data.height", "64", "--data.width", "96", "--epochs", "1"]


@pytest.mark.slow
def test_the_walkthrough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(COMMANDS) == 6
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    said = {}
    for line in COMMANDS:
        words = shlex.split(line)[1:] + (SMALLER if " train " in line else [])
        assert main(words) == 0, line
        said[" ".join(words[:2])] = capsys.readouterr().out
    assert "findings: none" in said["data inspect"]
    for name in ("inspect.html", "runs/mine/model.onnx", "runs/mine/validation.json", "runs/mine/report/report.html"):
        assert (tmp_path / name).stat().st_size > 0
    assert len(list((tmp_path / "out").rglob("*_depth.png"))) == 8
