"""The README keeps its word: its commands parse, its Python runs, and `make` says what is missing."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

import densedepth
from densedepth.cli import COMMANDS
from densedepth.commands.arguments import parser_for

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMAND_LINES = [
    line.split("  #")[0].strip()
    for language, text in BLOCKS
    if language == ""
    for line in text.splitlines()
    if line.startswith("densedepth ")
]


def test_the_readme_has_commands() -> None:
    assert len(COMMAND_LINES) >= 6


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_command_line_parses(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, *words = shlex.split(line)
    # The name of a command is one word, or two as in "data inspect".
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    words = words[len(name.split()) :]
    module, function = COMMANDS[name].split(":")
    parser = parser_for(getattr(import_module(module), function), name)
    parser.instantiate(parser.parse_args(words))


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_bundle: object) -> None:
    (code,) = [text for language, text in BLOCKS if language == "python"]
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "room.jpg")
    bundle = tiny_bundle()  # type: ignore[operator]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(densedepth, "load", lambda name: _load(bundle), raising=False)
    exec(code, {})
    assert (tmp_path / "room.npz").exists()


def test_make_has_the_two_commands() -> None:
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(rules)
    assert re.search(r"^make demo .*\nmake test ", README, re.MULTILINE)


@pytest.mark.skipif(sys.platform == "win32", reason="make and sh are not there")
def test_too_old_a_python_is_named_with_what_to_install(tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"):
        # Answers the version check like a python 3.9: with status 1.
        (fake / name).write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
        (fake / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "venv.sh"), "core"],
        env={"PATH": f"{fake}:/usr/bin:/bin", "VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs python 3.11" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert "apt install" in done.stderr
    assert not (tmp_path / "venv").exists()


def _load(bundle: Path) -> object:
    from densedepth.runtime import load

    return load(bundle)
