"""What is imported when, and that imports between rooms only point down."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densedepth
from conftest import MakeBundle

SOURCE = Path(densedepth.__file__).parent
ROOMS = [
    *("errors", "types", "io", "runtime", "models", "losses", "data", "metrics"),
    *("rooms", "evaluation", "export", "training", "serve", "cli"),
]
ABOVE_ALL = {"cli", "commands", "__main__"}
SIBLINGS = {"models", "losses", "data", "metrics"}
TORCH_FREE = {"errors", "types", "io", "runtime", "serve", "cli"}
TORCH = {"torch", "torchvision", "timm", "lightning", "torchmetrics"}
# Upward, and therefore only inside functions.
LAZY_UPWARD = {("types", "io"), ("runtime", "export"), ("models", "export")}


def run_python(code: str, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_import_is_light() -> None:
    code = "import sys, densedepth; print(*sys.modules)"
    loaded = set(run_python(code).split())
    assert not loaded & {*TORCH, "onnxruntime", "PIL", "numpy", "jsonargparse", "trimesh"}


@pytest.mark.parametrize("words", [["--help"], ["predict", "--help"]])
def test_help_is_light(words: list[str]) -> None:
    code = """
import sys
from densedepth.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("MODULES", *sys.modules)
"""
    loaded = set(run_python(code, *words).partition("MODULES")[2].split())
    assert not loaded & {*TORCH, "onnxruntime", "trimesh"}


def test_predicting_never_imports_torch(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "x.png")
    code = """
import sys
from densedepth.cli import main
status = main(["predict", sys.argv[1], "-o", sys.argv[2], "--model", sys.argv[3], "--format",
               "png16", "color", "npz", "tiff", "ply", "glb"])
print("MODULES", status, *sys.modules)
"""
    output = run_python(code, tmp_path / "x.png", tmp_path / "out", tiny_bundle())
    status, *loaded = output.partition("MODULES")[2].split()
    assert status == "0"
    assert not set(loaded) & TORCH


def room_of(file: Path) -> str:
    top = file.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "cli" if top in ABOVE_ALL else top


def imports_of(file: Path) -> list[tuple[str, bool]]:
    """(absolute module name, whether inside a function) of all imports, those for type checking left out."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            # `from densedepth import errors` names a module, too.
            found.extend((f"{node.module}.{alias.name}", lazy) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, lazy)

    visit(ast.parse(file.read_text(encoding="utf-8")), False)
    return found


def allowed(room: str, target: str, lazy: bool) -> bool:
    if target == room:
        return True
    if (room, target) in LAZY_UPWARD:
        return lazy
    if {room, target} <= SIBLINGS:
        return False
    return ROOMS.index(target) < ROOMS.index(room)


FILES = [file for file in sorted(SOURCE.rglob("*.py")) if file != SOURCE / "__init__.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_point_down(file: Path) -> None:
    room = room_of(file)
    assert room in ROOMS, f"a new room, {room}: give it its place in ROOMS"
    for module, lazy in imports_of(file):
        package, _, rest = module.partition(".")
        if package == "densedepth":
            target = rest.partition(".")[0]
            target = "cli" if target in ABOVE_ALL else target
            if target in ROOMS:
                assert allowed(room, target, lazy), f"{file} imports {module}, which stands above or beside it"
        assert not (room in TORCH_FREE and package in TORCH), f"{file} imports {module}"
