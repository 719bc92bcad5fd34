"""The examples run as they are: each script as a program, the notebook cell by cell."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import densedepth

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOK = EXAMPLES / "densedepth.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def run(folder: Path, name: str, *words: object) -> str:
    """What a script says; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(Path(densedepth.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_predict(tmp_path: Path) -> None:
    said = run(tmp_path, "predict")
    assert said.count("focal length assumed") == 5
    assert "640 x 480, equal: True" in said
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"kitchen.npz", "kitchen.png"}


def test_point_cloud(tmp_path: Path) -> None:
    assert "width, height, depth" in run(tmp_path, "point_cloud", "--fov", 60)
    for name in ("kitchen.ply", "kitchen.glb"):
        assert (tmp_path / "out" / name).stat().st_size > 100_000


@pytest.mark.slow
def test_evaluate(tmp_path: Path) -> None:
    said = run(tmp_path, "evaluate")
    assert "protocol none" in said
    assert "8 images" in said
    assert (tmp_path / "report" / "report.html").exists()


@pytest.mark.slow
def test_train_own_data(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs pip install densedepth[train]")
    assert "the new bundle says" in run(tmp_path, "train_own_data")
    for name in ("model.onnx", "validation.json", "report/report.html"):
        assert (tmp_path / "runs" / "mine" / name).exists()


def test_serve_client(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs pip install densedepth[serve]")
    pytest.importorskip("requests", reason="needs the dev extra")
    from serving import serving

    with serving("nyu", tmp_path) as server:
        said = run(tmp_path, "serve_client", "--url", server.url)
    assert "models: nyu" in said
    assert "office.jpg: 640 x 480, median" in said


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = []
    for code in CODE:
        *lines, last = ast.parse(code).body
        exec(compile(ast.Module(lines, []), NOTEBOOK.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names))
        else:
            exec(compile(ast.Module([last], []), NOTEBOOK.name, "exec"), names)
    assert "(480, 640) float32" in capsys.readouterr().out
    assert [type(value).__name__ for value in shown].count("Image") == 2
    assert (tmp_path / "living_room.ply").exists()
    assert (tmp_path / "living_room.glb").exists()
    assert names["corrected"].depth_m[240, 320] == pytest.approx(2.10, abs=1e-4)


def test_the_notebook_is_kept_without_results() -> None:
    for cell in CELLS:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    for script in EXAMPLES.glob("*.py"):
        assert f'"{script.stem}"' in tested, f"{script.name} is not run"
