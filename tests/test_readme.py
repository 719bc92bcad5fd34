"""The two commands of the README, and what `make` says when Python is too old. tests/test_docs.py runs the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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
