"""`evaluate --validation-of RUN`: the frames that a run held out, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import MakeBundle, write_nyu_layout
from densedepth.cli import main
from densedepth.data import open_dataset, split_by_scene


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    triples = [
        (
            f"room_{number // 2:04}",
            rng.integers(0, 256, (64, 96, 3), dtype=np.uint8),
            np.full((64, 96), 2000, np.uint16),
        )
        for number in range(12)
    ]
    root = write_nyu_layout(tmp_path / "frames", triples)
    folder = tmp_path / "run"
    folder.mkdir()
    data = {"dataset": "nyu", "root": str(root), "options": {}, "validation_fraction": 0.3, "split_seed": 5}
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    return folder


def test_it_measures_the_frames_held_out(run: Path, tmp_path: Path, tiny_bundle: MakeBundle) -> None:
    words = ["evaluate", "--model", str(tiny_bundle()), "--protocol", "none"]
    files = ["--json", str(tmp_path / "out.json"), "--csv", str(tmp_path / "out.csv")]
    assert main([*words, "--validation-of", str(run), *files]) == 0
    _, held_out = split_by_scene(open_dataset("nyu", tmp_path / "frames", "train"), 0.3, 5)
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["images"] == len(held_out) == 4
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [held_out[index].key for index in range(4)]


def test_the_data_may_have_moved(run: Path, tmp_path: Path, tiny_bundle: MakeBundle) -> None:
    (tmp_path / "frames").rename(tmp_path / "moved")
    words = ["evaluate", "--model", str(tiny_bundle()), "--protocol", "none", "--validation-of", str(run)]
    assert main(words) == 1
    assert main([*words, "--root", str(tmp_path / "moved")]) == 0


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("data: {dataset: nyu, root: x}", "no recipe of a training run"),
        ("[1", "no recipe of a training run"),
        (b"data: \xff\xfe", "no recipe of a training run"),
        (None, "no recipe of a training run"),
    ],
)
def test_a_folder_that_is_no_run_is_named(
    run: Path, recipe: str | bytes | None, expected: str, tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "config.yaml").unlink()
    if recipe is not None:
        (run / "config.yaml").write_bytes(recipe if isinstance(recipe, bytes) else recipe.encode())
    assert main(["evaluate", "--model", str(tiny_bundle()), "--validation-of", str(run)]) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert "config.yaml" in error
    assert error.count("\n") == 1


def test_a_run_that_held_out_nothing_is_told(
    run: Path, tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = yaml.safe_load((run / "config.yaml").read_text())
    recipe["data"]["validation_fraction"] = 0
    (run / "config.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["evaluate", "--model", str(tiny_bundle()), "--validation-of", str(run)]) == 1
    assert "held out no frames" in capsys.readouterr().err


def test_without_data_it_asks_for_it(tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", str(tiny_bundle())]) == 2
    assert "--root is missing" in capsys.readouterr().err
