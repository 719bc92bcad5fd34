"""`densedepth data inspect` as a user runs it: output, exit status, page, recipe."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from densedepth.cli import main
from densedepth.commands.arguments import parser_for
from densedepth.data import open_dataset
from densedepth.data.inspection import inspect_dataset
from densedepth.data.inspection.layouts import detect
from rooms import room, save, write_rooms

Capture = pytest.CaptureFixture[str]


def parsed_by_train(path: Path) -> dict[str, Any]:
    from densedepth.training.train import train

    parser = parser_for(train, "densedepth train")
    options: dict[str, Any] = vars(parser.instantiate(parser.parse_args(["--config", str(path)])))
    return options


def inspect(*words: object) -> int:
    return main(["data", "inspect", *map(str, words)])


def test_status_of_strict(tmp_path: Path, capsys: Capture) -> None:
    pairs = write_rooms(tmp_path / "frames", 6, 2)
    assert inspect(tmp_path / "frames", "--strict") == 0
    assert "findings: none" in capsys.readouterr().out
    pairs[2][1].unlink()
    assert inspect(tmp_path / "frames") == 0
    assert inspect(tmp_path / "frames", "--strict") == 1
    lines = capsys.readouterr().out.splitlines()
    assert "findings: 1 warning" in lines
    assert f"warning missing-depth    {pairs[2][0]}: a photo without depth" in lines


def test_nothing_there_is_wrong_usage_and_no_finding(tmp_path: Path, capsys: Capture) -> None:
    assert inspect(tmp_path / "nowhere") == 1
    assert inspect(tmp_path, "--sample", "-1") == 2
    assert inspect(tmp_path, "--dataset", "nyuu") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    assert "nowhere" in errors[0]
    assert "unknown data set 'nyuu'" in errors[2]


def test_findings_come_in_order_and_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    pairs = write_rooms(tmp_path, 12, 4)
    for _, depth in pairs[:4]:
        depth.unlink()
    pairs[6][1].write_bytes(b"")
    assert inspect(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [line.split()[0] for line in lines[lines.index("findings: 1 error, 4 warnings") + 1 :]]
    assert [word for word in found if word != "->"] == ["error", *["warning"] * 4]


def test_page_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    pairs = write_rooms(tmp_path / "a <b> & c", 8, 4)
    save(np.asarray(Image.open(pairs[1][1]))[:, ::-1], pairs[1][1])
    pairs[5][1].write_bytes(b"")
    page = tmp_path / "out" / "inspect.html"
    assert inspect(tmp_path / "a <b> & c", "--out", page) == 0
    text = page.read_text(encoding="utf-8")
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b> & c" not in text
    assert not re.search(r"""(src|href)=['"](?!data:)|<script|@import|url\(""", text)
    assert text.count("<svg") == 3
    assert "mirrored" in text
    assert "cannot be read" in text
    assert text.count("alt='edges'") == 7


def test_the_recipe_trains(tmp_path: Path) -> None:
    """Its words are those of `train`, and its data set opens with them."""
    pairs = write_rooms(tmp_path / "frames", 12, 4)
    for _, depth in pairs:
        values = np.asarray(Image.open(depth)).copy()
        values[::7, ::5] = 65535
        save(values, depth)
    pairs[3][1].unlink()
    recipe = tmp_path / "mine.yaml"
    assert inspect(tmp_path / "frames", "--config-out", recipe) == 0
    text = recipe.read_text(encoding="utf-8")
    assert re.search(r"metres_per_unit: 0.001  # one number = 1 mm: median .* next best", text)
    data = parsed_by_train(recipe)["data"]
    assert (data.dataset, data.root) == ("folder", str(tmp_path / "frames"))
    assert data.options == {"metres_per_unit": 0.001, "invalid": 65535.0, "unpaired": "skip"}
    assert (data.height, data.width) == (128, 192)
    frames = open_dataset(data.dataset, data.root, "train", **data.options)
    assert len(frames) == 11
    assert not frames[0].valid[::7, ::5].any()
    assert 1 < frames[0].depth_m.max() < 10


def test_recipe_for_streets_reaches_farther(tmp_path: Path) -> None:
    for number in range(4):
        photo, depth_m = room(number)
        save(photo, tmp_path / "rgb" / f"{number}.png")
        save((depth_m**2 * 1.5).astype(np.float32), tmp_path / "depth" / f"{number}.npy")
    recipe = tmp_path / "mine.yaml"
    assert inspect(tmp_path, "--config-out", recipe) == 0
    values = yaml.safe_load(recipe.read_text())
    assert values["model"]["reciprocal_m"] == values["model"]["depth_range_m"][1] == 50.0
    assert parsed_by_train(recipe)["model"].reciprocal_m == 50.0


def test_sample_and_seed(tmp_path: Path) -> None:
    write_rooms(tmp_path, 12, 4)
    one, same, other = (inspect_dataset(tmp_path, sample=4, seed=seed) for seed in (0, 0, 1))
    numbers = [[frame.number for frame in result.frames] for result in (one, same, other)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert len(numbers[0]) == one.looked == 4


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["data/nyu2_train.csv"], "nyu"),
        (["nyu2_test.csv"], "nyu"),
        (["nyu_depth_v2_labeled.mat"], "nyu-mat"),
        (["eigen_test_rgb.npy"], "nyu-npy"),
        (["kitchen_0001/rgb_00045.jpg", "kitchen_0001/sync_depth_00045.png"], "nyu-sync"),
        (["frames.h5"], "unreal"),
        (["image_2/0.png", "velodyne/0.bin", "calib/0.txt"], "kitti-object"),
        (["training/image_2/0.png", "training/velodyne/0.bin"], "kitti-object"),
        (["train/2011_09_26_drive_0001_sync/proj_depth/x.png"], "kitti-depth"),
        (["2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0.png"], "kitti"),
        (["train-000000.tar"], "shards"),
        (["manifest.csv", "train-000000.tar"], "folder"),
        (["rgb/0.png", "depth/0.png"], "folder"),
    ],
)
def test_layouts(tmp_path: Path, files: list[str], name: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    assert detect(tmp_path)[0] == name


def test_a_strange_zip_beside_the_frames_is_no_layout(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as file:
        file.writestr("a", "b")
    data = bytearray((tmp_path / "notes.zip").read_bytes())
    data[data.index(b"PK\1\2") + 6] = 255  # the version that is needed to read it
    (tmp_path / "notes.zip").write_bytes(data)
    assert detect(tmp_path)[0] == "folder"


def test_nyu(shared: Path, capsys: Capture) -> None:
    """Real data: nothing but the grid, or a pair that really is shifted."""
    assert inspect(shared / "nyu", "--sample", "24", "--split", "test") == 0
    lines = capsys.readouterr().out
    assert "only " in lines
    assert "on a grid of 39 mm" in lines
    found = {line.split()[1] for line in lines.splitlines() if line.startswith(("error", "warning", "note"))}
    assert found <= {"coarse-steps", "shifted"}


@pytest.mark.parametrize("name", ["frames.zip", "frames.mat", "frames.h5", "frames.tar", "frames.bin", "photo.png"])
def test_damaged_files_are_findings(tmp_path: Path, capsys: Capture, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 cut short")
    assert inspect(tmp_path / name, "--config-out", tmp_path / "x.yaml", "--out", tmp_path / "x.html") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("error   layout")]) == 1
    assert not (tmp_path / "x.yaml").exists()
    assert (tmp_path / "x.html").exists()


@pytest.mark.parametrize("name", ["object", "depth_benchmark"])
def test_kitti(shared: Path, capsys: Capture, name: str) -> None:
    assert inspect(shared / "kitti" / name) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line.split()[1] for line in lines if line.startswith(("error", "warning", "note"))}
    assert found == {"sparse"}


def test_frames_that_are_no_files(tmp_path: Path) -> None:
    """Tar shards: nothing lies on disk as a file, and still duplicates and mirrored pairs are found."""
    with tarfile.open(tmp_path / "train-000000.tar", "w") as tar:
        for number in range(8):
            photo, depth_m = room(0 if number == 7 else number)
            depth_m = depth_m[:, ::-1] if number == 4 else depth_m
            for suffix, array in (("png", photo), ("depth.npy", depth_m.astype(np.float32))):
                file = save(array, tmp_path / f"part.{suffix}")
                tar.add(file, f"{number:03}.{suffix}")
                file.unlink()
    result = inspect_dataset(tmp_path)
    assert result.dataset == "shards"
    assert [finding.code for finding in result.findings] == ["mirrored", "duplicate"]
    assert result.findings[1].what.startswith("the same photo as train frame 0")
