"""The documentation keeps its word: it builds without a network, its links lead somewhere, its commands parse and run.

Every shell command of docs/*.md and the README is parsed by the real parser. It is run, too, unless something is needed
that a test does not have: then `<!-- needs: ... -->` stands before its block, or one of `NEEDS` says what and why.
"""

from __future__ import annotations

import ast
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import densedepth
from densedepth.cli import COMMANDS, main
from densedepth.commands.arguments import parser_for
from test_imports import ROOMS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE = Path(densedepth.__file__).parent
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

PROGRAMS = (
    *("densedepth", "python", "pytest", "pip", "make", "sudo", "docker", "curl", "until", "id=$(curl"),
    *("torchrun", "srun", "ray", "export"),
)
"""A block is of shell commands if its first line begins with one of these; then all of its lines must."""
LAUNCHERS = ("torchrun", "srun")

NEEDS: dict[str, str] = {
    r"\[--|\.\.\. *$|\bSOURCE\b|\bFOLDER\b": "a pattern of a command: its flags are checked",
    r"\b(NYU|KITTI)|/shared/": "a published data set",
    r"\bnyu\.h5\b|runs/released": "the released Keras weights; tests/test_keras_import.py",
    r"^sudo|^densedepth data rooms": "furniture models; tests/test_rooms_render.py",
    r"hf:|^densedepth push": "a hub; tests/test_hub.py",
    r"^densedepth webcam": "a camera; tests/test_video_cli.py",
    r"^densedepth serve|^curl|^until|^id=": "a server; tests/test_serve_command.py runs these",
    r"^docker": "docker; tests/test_docker.py",
    r"^densedepth train (?!--help)|^torchrun|^srun": "time; tests/test_own_frames.py trains",
    r"\bruns/|nyu_paper\.onnx": "a finished run; tests/test_own_frames.py makes and uses one",
    r"nyu_int8": "what docs/export.md makes; tests/test_bench.py",
    r"--random densenet169": "a quarter of an hour; tests/test_bench.py",
    r"^(pip|make|ray|export)\b|^python -m (pip|venv)": "another environment",
    r"--engine ray": "Ray; tests/test_engines.py",
}
"""What a command has in it: what it needs and a test does not have, and which test stands in for it."""
OWN_TESTS = {"own-frames.md": "test_own_frames.py"}
"""Pages whose commands are run, one after the other, by a test of their own."""

QUICK = {
    "data synth": ["--frames", "8", "--size", "64x48", "--workers", "1"],
    "predict": ["--overwrite", "--threads", "1"],
    "video": ["--overwrite", "--threads", "1"],
}
"""Added to commands that are run: the same in seconds."""
PYTHON_NEEDS = {r"hf:|push_to_hub": "a hub; tests/test_hub.py", r"localhost": "a server; tests/test_serve_api.py"}


@dataclass(frozen=True)
class Command:
    """A line of a shell block, and what it needs that a test does not have ("" is nothing)."""

    line: str
    needs: str

    @property
    def words(self) -> list[str]:
        """The words behind `densedepth`; none for other programs."""
        words = shlex.split(self.line)
        if words[0] in LAUNCHERS and "densedepth" in words:
            words = words[words.index("densedepth") :]
        return words[1:] if words[0] == "densedepth" else []


def blocks_of(page: Path) -> Iterator[tuple[str, str, str]]:
    """(language, text, what its marker says it needs) of all fenced blocks."""
    pattern = r"(?:^<!-- needs: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$"
    for needs, language, text in re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        yield language, text, needs


def commands_of(page: Path) -> list[Command]:
    """Lines of all shell blocks: comments away, continued lines joined, assignments in front left out."""
    found = []
    for language, text, marked in blocks_of(page):
        # A synopsis goes on in lines that are indented.
        joined = re.sub(r"\\?\n[ \t]+", " ", text)
        lines = [re.sub(r"(^|\s{2,}|\s)#(\s|!|SBATCH).*", "", line).strip() for line in joined.splitlines()]
        lines = [re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines if line]
        if language not in ("", "sh", "bash") or not lines or not lines[0].startswith(PROGRAMS):
            continue
        for line in lines:
            assert line.startswith(PROGRAMS), f"{page.name}: what program is '{line}'? PROGRAMS does not know it"
            reasons = [reason for pattern, reason in NEEDS.items() if re.search(pattern, line)]
            found.append(Command(line, marked or next(iter(reasons), "")))
    return found


def name_of(words: list[str]) -> str:
    """The name of a command is one word, or two as in "data inspect"."""
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
    assert name is not None, f"no command densedepth {words[0]}"
    return name


def complaint(words: list[str], *, flags_only: bool) -> str:
    """What the parser says against a command line; "" if it takes it."""
    name = name_of(words)
    module, function = COMMANDS[name].split(":")
    parser = parser_for(getattr(import_module(module), function), name)
    if flags_only:
        known = {flag for action in parser._actions for flag in action.option_strings}
        flags = [re.sub(r"[\]=.].*", "", word.lstrip("[")) for word in words if word.lstrip("[").startswith("--")]
        return ", ".join(flag for flag in flags if flag not in known)
    try:
        parser.instantiate(parser.parse_args(words[len(name.split()) :]))
    except SystemExit as end:
        return "" if end.code == 0 else f"status {end.code}"
    return ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with the recipes and one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for name in ("R.yaml", "mine.yaml"):
        shutil.copy(ROOT / "configs" / "finetune.yaml", tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn frames of the size of NYU's."""
    root = tmp_path_factory.mktemp("frames") / "rooms"
    words = ["--frames", "4", "--frames-per-scene", "2", "--test-fraction", "0.5", "--size", "640x480"]
    assert main(["data", "synth", "--out", str(root), *words, "--workers", "1"]) == 0
    return root


def test_there_are_commands() -> None:
    commands = [command for page in PAGES for command in commands_of(page)]
    assert len([command for command in commands if command.words]) > 60
    assert len([command for command in commands if command.words and not command.needs]) > 15
    for page in PAGES:
        lines = re.findall(r"^densedepth \S+", "\n".join(text for _, text, _ in blocks_of(page)), re.MULTILINE)
        assert len(lines) <= len([command for command in commands_of(page) if command.words]), f"{page.name} lost some"


def test_reasons_name_tests_that_exist() -> None:
    for reason in (*NEEDS.values(), *PYTHON_NEEDS.values()):
        for name in re.findall(r"tests/\w+\.py", reason):
            assert (ROOT / name).exists(), reason
    for page, name in OWN_TESTS.items():
        assert page in (ROOT / "tests" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_markers_stand_before_a_block(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    used = [needs for _, _, needs in blocks_of(page) if needs]
    assert len(re.findall(r"<!-- *needs", text)) == len(used), f"{page.name}: not all markers are right before a block"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands_of(page):
        if command.words:
            pattern = "pattern" in command.needs
            assert not (found := complaint(command.words, flags_only=pattern)), f"{command.line}: {found}\n" + "".join(
                capsys.readouterr()
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_text_have_these_flags(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"`(?:time )?densedepth (\S[^`]*)`", text):
        words = shlex.split(line)
        assert words == ["--version"] or not (found := complaint(words, flags_only=True)), f"{line}: {found}"


def test_extras_that_are_named_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page in PAGES:
        for names in re.findall(r"(?:densedepth|\.)\[([\w,]+)\]", page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(extras), f"{page.name}: pyproject.toml has no extra [{names}]"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in OWN_TESTS], ids=lambda page: page.name)
def test_commands_and_python_run(page: Path, folder: Path, frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runnable = [command.words for command in commands_of(page) if command.words and not command.needs]
    python = [
        text
        for language, text, needs in blocks_of(page)
        if language == "python" and not needs and not any(re.search(pattern, text) for pattern in PYTHON_NEEDS)
    ]
    if runnable or python:
        put_inputs(folder, frames, runnable)
    for words in runnable:
        name = name_of(words)
        status = main([*words, *QUICK.get(name, [])]) if "--help" not in words else 0
        assert status == 0, f"densedepth {' '.join(words)}\n" + "".join(capsys.readouterr())
    for text in python:
        exec(compile(text, str(page), "exec"), {"densedepth": densedepth})


def put_inputs(folder: Path, frames: Path, runnable: list[list[str]]) -> None:
    """The files that the pages speak of."""
    (folder / "photos").mkdir()
    for name, photo in (("room", "bedroom"), ("big", "bedroom"), ("photo", "office"), ("photos/first", "kitchen")):
        shutil.copy(SOURCE / "examples" / f"{photo}.jpg", folder / f"{name}.jpg")
    for name in ("DIR", "MY_FRAMES"):
        (folder / name).symlink_to(frames)
    if any(words[0] == "video" for words in runnable):
        pytest.importorskip("av", reason="needs PyAV: pip install densedepth[video]")
        from test_video import pictures, write_clip

        write_clip(folder / "walk.mp4", pictures(5), codec="libx264")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_imports_what_there_is(page: Path) -> None:
    for language, text, _ in blocks_of(page):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("densedepth"):
                module = import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{page.name}: {node.module} has no {alias.name}"


def test_the_reference_has_what_is_public() -> None:
    public = (ROOT / "tests" / "public_api.txt").read_text(encoding="utf-8")
    targets = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    for target in targets:
        assert (pkgutil.resolve_name(target).__doc__ or "").strip(), f"{target} has no docstring"
        # Errors are documented as a module.
        assert re.search(rf"^(class )?{target}\b", public, re.MULTILINE), f"{target} is on the page, but not public"
    names = {target.rpartition(".")[2] for target in targets}
    assert set(densedepth.__all__) - {"__version__", "DenseDepthError"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        file = target.partition("#")[0]
        if file and not re.match(r"\w+:", file):
            assert (page.parent / file).exists(), f"{page.name} links to {target}"
    # Files of the repository that are named, in commands and elsewhere: from its root, or from that of the package.
    for name in re.findall(r"(?<![\w./])((?:[a-z]\w*/)+\w+\.(?:py|md|ipynb|yaml))\b", text):
        if not name.startswith("runs/"):
            assert (ROOT / name).exists() or (SOURCE / name).exists(), f"{page.name} names {name}"


@pytest.fixture(scope="module")
def drawing() -> dict[str, Any]:
    """What scripts/docs_pictures.py defines."""
    return runpy.run_path(str(ROOT / "scripts" / "docs_pictures.py"))


@pytest.mark.parametrize("name", ["rooms.svg", "network.svg"])
def test_pictures_are_those_of_the_program(name: str, drawing: dict[str, Any]) -> None:
    drawn, kept = drawing["PICTURES"][name](), (DOCS / "assets" / name).read_text(encoding="utf-8")
    assert drawn == kept, "the program has changed: python scripts/docs_pictures.py"


def test_the_picture_has_every_room(drawing: dict[str, Any]) -> None:
    places = drawing["PLACES"]
    assert set(places) == set(ROOMS), "a new room: give it its place in scripts/docs_pictures.py"
    rows = {room: row for room, (row, *_) in places.items()}
    down, _ = drawing["room_imports"]()
    assert all(rows[a] < rows[b] for a, b in down), "an arrow leads up"


@pytest.mark.slow
def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs pip install densedepth[docs]")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        tags = re.findall(r"<(?:script|link|img|iframe|source|video|object)\b[^>]*>", page.read_text(encoding="utf-8"))
        outside = [tag for tag in tags if re.search(r"""\b(?:src|href|data)=["']?(?:https?:)?//""", tag)]
        assert not outside, f"{page.relative_to(tmp_path)} fetches {outside}"
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", sheet.read_text(encoding="utf-8")), sheet
