"""`densedepth bench`: a row for what runs, a line for what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import MakeBundle
from densedepth import cli
from densedepth.commands import bench
from densedepth.commands.contest import Contestant
from densedepth.errors import DenseDepthError


def test_table_and_json(tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tiny_bundle("a.onnx"), tiny_bundle("b.onnx", shift=True)
    words = ["bench", "--model", first, second, "--devices", "onnxruntime", "cuda", "--sizes", "96x64", "64x48"]
    assert cli.main([*map(str, words), "--rounds", "4", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    output = capsys.readouterr()
    left_out = [line for line in output.err.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 2
    assert f"{first} on cuda: device cuda is not installed" in left_out[0]

    result = json.loads((tmp_path / "x.json").read_text())
    assert [(row["model"], row["width"]) for row in result["rows"]] == [
        (str(model), width) for width in (64, 96) for model in (first, second)
    ]
    assert (result["threads"], result["rounds"]) == (1, 4)
    assert result["versions"].keys() >= {"densedepth", "numpy", "onnxruntime"}
    for row in result["rows"]:
        assert len(row["seconds"]) == 4
        assert row["median_ms"] == pytest.approx(np.median(row["seconds"]) * 1000)
        assert row["median_ms"] <= row["p95_ms"] <= max(row["seconds"]) * 1000
        assert row["images_per_s"] == pytest.approx(1000 / row["median_ms"])
        assert row["model_mb"] == pytest.approx(Path(row["model"]).stat().st_size / 1e6)
        assert row["delta1"] is None
    for size in (0, 2):
        ratios = np.array(result["rows"][size]["seconds"]) / result["rows"][size + 1]["seconds"]
        assert result["rows"][size + 1]["times_as_fast"] == pytest.approx(np.median(ratios))
    table = output.out.splitlines()
    head = "model device size load s median ms p95 ms images/s x first cpu ms peak MB model MB delta1"
    assert " ".join(table[1].split()) == head
    assert table[2].split()[:3] == [str(first), "onnxruntime", "64x48"]


@pytest.mark.parametrize(("driver", "more"), [(False, []), (True, ["torch:cuda"])])
def test_the_devices_measured_by_default(driver: bool, more: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "installed", lambda: ["onnxruntime", "torch"])
    monkeypatch.setattr(bench, "nvidia_driver", lambda: driver)
    assert bench._installed() == ["onnxruntime", "torch", "torch:compile", *more]


def test_delta1_of_a_data_set(tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundle answers 0.1 m for black: right at half of the pixels."""
    frames = tmp_path / "own" / "test"
    for folder in ("images", "depth"):
        (frames / folder).mkdir(parents=True)
    Image.new("RGB", (320, 240)).save(frames / "images" / "a.png")
    depth_mm = np.full((240, 320), 100, np.uint16)
    depth_mm[120:] = 1000
    Image.fromarray(depth_mm).save(frames / "depth" / "a.png")
    words = ["bench", "--model", tiny_bundle(), "--devices", "onnxruntime", "--sizes", "64x48", "--rounds", "2"]
    truth = [
        "--dataset",
        "folder",
        "--root",
        tmp_path / "own",
        "--options.metres_per_unit",
        "0.001",
        "--json",
        tmp_path / "x.json",
    ]
    assert cli.main(list(map(str, [*words, *truth]))) == 0
    assert json.loads((tmp_path / "x.json").read_text())["rows"][0]["delta1"] == pytest.approx(0.5)
    assert "0.5000" in capsys.readouterr().out


@pytest.mark.slow
def test_random_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("timm", reason="needs an extra: pip install densedepth[train]")
    words = ["bench", "--random", "densenet(1,1,1,1):half", "--devices", "onnxruntime", "torch", "--sizes", "64x48"]
    assert cli.main([*words, "--rounds", "2", "--threads", "1"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[:2] for row in rows] == [["densenet(1,1,1,1):half", name] for name in ("onnxruntime", "torch")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--sizes", "big"], "WIDTHxHEIGHT"),
        (["--rounds", "1"], "--rounds must be at least 2"),
        (["--root", "nowhere"], "nowhere"),
        (["--devices", "abacus"], "unknown device 'abacus'"),
        (["--model", "nowhere.onnx", "--devices", "onnxruntime"], "nothing could be measured"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *words]) != 0
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert why in error


@pytest.mark.parametrize("place", ["folder", "file/result.json"])
def test_json_that_cannot_be_written_is_told_before_measuring(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("densedepth.commands.bench.Contestant", lambda *_: pytest.fail("it was measured"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert cli.main(["bench", "--rounds", "2", "--json", str(tmp_path / place)]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {tmp_path / place.partition('/')[0]}: ")
    assert "give another name" in error


def test_nothing_measured_leaves_the_json_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tmp_path / "result.json"
    result.write_text("of another day")
    words = ["bench", "--model", "nowhere.onnx", "--devices", "onnxruntime", "--rounds", "2", "--json", str(result)]
    assert cli.main(words) == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("result.json", "of another day")]


def test_a_process_that_dies_is_named(tiny_bundle: MakeBundle) -> None:
    contestant = Contestant(str(tiny_bundle()), "onnxruntime", 1)
    contestant._process.kill()
    with pytest.raises(DenseDepthError, match="its process ended with status -9"):
        contestant.warm_up(64, 48)
    contestant.close()
