"""Which pixels count, how predictions are aligned, what is refused, and how sure the numbers are."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conftest import MakeBundle, brightness_depth_m
from densedepth.cli import main
from densedepth.data import Frame
from densedepth.errors import DataError
from densedepth.evaluation import ALIGNMENTS, PROTOCOLS, evaluate_model, protocol_for
from densedepth.evaluation.alignment import Fit, fit
from densedepth.evaluation.bootstrap import intervals95
from densedepth.metrics import METRIC_NAMES, DepthMetrics
from densedepth.types import DepthMap

NONE = PROTOCOLS["none"]


class Frames:
    """A data set made on the fly: truth between 1 and 6 m, noisy; nothing is kept."""

    def __init__(self, count: int, height: int = 24, width: int = 32) -> None:
        self.count, self.size = count, (height, width)
        self.scenes = [str(i) for i in range(count)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        rng = np.random.default_rng(index)
        depth_m = (1 + index % 3 + 3 * rng.random(self.size)).astype(np.float32)
        image = rng.integers(0, 256, (*self.size, 3), dtype=np.uint8)
        return Frame(image, depth_m, np.ones(self.size, bool), None, str(index), f"frame{index}.png")


class Model:
    """Answers with brightness, or with what `answer` makes of it."""

    card = SimpleNamespace(name="toy")

    def __init__(self, answer: object = None) -> None:
        self.answer = answer

    def predict(self, image: NDArray[np.uint8], *, tta: bool = False) -> DepthMap:
        depth_m = brightness_depth_m(image)
        return DepthMap(depth_m if self.answer is None else np.asarray(self.answer(depth_m), np.float32))  # type: ignore[operator]


# Crops and limits


@pytest.mark.parametrize(
    ("name", "shape", "rows", "columns", "cap_m"),
    [
        ("nyu-eigen", (480, 640), (45, 471), (41, 601), 10),
        ("nyu-densedepth", (480, 640), (20, 460), (24, 616), 10),
        # .40810811 * 375 = 153.04, .99189189 * 375 = 371.96, .03594771 * 1242 = 44.6, .96405229 * 1242 = 1197.4
        ("kitti-garg", (375, 1242), (153, 371), (44, 1197), 80),
        # .3324324 * 375 = 124.66, .91351351 * 375 = 342.57
        ("kitti-eigen", (375, 1242), (124, 342), (44, 1197), 80),
        ("none", (7, 9), (0, 7), (0, 9), 10),
    ],
)
def test_crop(name: str, shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int], cap_m: float) -> None:
    protocol = PROTOCOLS[name]
    counted = protocol.counted(np.ones(shape, np.float32), np.ones(shape, bool), "x")
    expected = np.zeros(shape, bool)
    expected[rows[0] : rows[1], columns[0] : columns[1]] = True
    assert np.array_equal(counted, expected)
    assert protocol.cap_m == cap_m


def test_kitti_counts_the_open_interval() -> None:
    protocol = PROTOCOLS["kitti-garg"]
    depth_m = np.full((375, 1242), 5, np.float32)
    depth_m[200, 100:104] = [1e-3, 80, 79.99, 80.01]
    counted = protocol.counted(depth_m, np.ones(depth_m.shape, bool), "x")
    assert counted[200, 100:104].tolist() == [False, False, True, False]


def test_names() -> None:
    assert protocol_for("nyu").name == "nyu-eigen"
    assert {protocol_for(name).name for name in ("kitti", "kitti-depth", "kitti-object")} == {"kitti-garg"}
    assert protocol_for("else").name == "none"
    with pytest.raises(DataError, match="kitti-eigen"):
        protocol_for("nyu", "nyu-eigne")


# Alignment


def test_median_alignment() -> None:
    prediction_m, truth_m = np.array([1.0, 2.0, 4.0]), np.array([3.0, 3.5, 9.0])
    assert fit(prediction_m, truth_m, "median") == Fit(scale=1.75)


@pytest.mark.parametrize("space", ["depth", "disparity"])
def test_least_squares_undoes_scale_and_shift(space: str) -> None:
    truth_m = np.random.default_rng(0).uniform(1, 8, 500)
    known = truth_m if space == "depth" else 1 / truth_m
    twisted = known * 0.25 + 3.0
    prediction_m = twisted if space == "depth" else 1 / twisted
    aligned = fit(prediction_m, truth_m, "least-squares", space).apply(prediction_m, 1e-3, 10.0)  # type: ignore[arg-type]
    assert aligned == pytest.approx(truth_m)


def test_aligned_predictions_are_clipped() -> None:
    assert Fit(scale=-1.0, shift=5.0).apply(np.array([1.0, 6.0, -9.0]), 0.5, 10.0).tolist() == [4.0, 0.5, 10.0]
    # A negative disparity is farther than far, not behind the camera.
    assert Fit(1.0, -0.5, "disparity").apply(np.array([1.0, 4.0]), 0.5, 10.0) == pytest.approx([2.0, 10.0])


def test_least_squares_of_a_constant_prediction_is_the_mean() -> None:
    assert fit(np.full(3, 2.0), np.array([1.0, 2.0, 6.0]), "least-squares").apply(np.array([2.0]), 0.1, 10) == [3.0]


def test_alignment_changes_and_is_said() -> None:
    results = {how: evaluate_model(Model(), Frames(4), NONE, dataset_name="toy", alignment=how) for how in ALIGNMENTS}
    assert [result.alignment for result in results.values()] == list(ALIGNMENTS)
    assert "alignment none" in str(results["none"])
    assert "alignment least-squares in depth" in str(results["least-squares"])
    assert results["least-squares"].pooled["rmse"] < results["median"].pooled["rmse"]
    assert results["least-squares"].pooled["rmse"] < results["none"].pooled["rmse"]
    assert results["none"].frames[0].fit == Fit()
    with pytest.raises(DataError, match="none, median, least-squares"):
        evaluate_model(Model(), Frames(1), NONE, dataset_name="toy", alignment="mean")


def test_median_alignment_makes_scale_irrelevant() -> None:
    one = evaluate_model(Model(), Frames(3), NONE, dataset_name="toy", alignment="median")
    other = evaluate_model(Model(lambda d: d * 7), Frames(3), NONE, dataset_name="toy", alignment="median")
    assert one.pooled == pytest.approx(other.pooled, rel=1e-5)


def test_relative_depth_is_not_passed_off_as_metric() -> None:
    model = Model()
    model.space = "disparity"  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"relative depth, not metres.*--alignment"):
        evaluate_model(model, Frames(2), NONE, dataset_name="toy")
    result = evaluate_model(model, Frames(2), NONE, dataset_name="toy", alignment="least-squares")
    assert "least-squares in disparity" in str(result)


# What is refused


def test_an_empty_data_set() -> None:
    with pytest.raises(DataError, match="toy test: holds no frames"):
        evaluate_model(Model(), Frames(0), NONE, dataset_name="toy test")


def test_ground_truth_without_a_pixel_names_the_frame() -> None:
    frames = Frames(1)
    empty = frames[0]
    bad = Frame(empty.image, empty.depth_m * 0, empty.valid & False, None, "s", "rooms/kitchen.png")
    with pytest.raises(DataError, match=r"rooms/kitchen\.png: no ground truth"):
        evaluate_model(Model(), [bad], NONE, dataset_name="toy")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
def test_a_prediction_that_is_no_depth_names_the_image(value: float) -> None:
    def spoil(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        depth_m[3, 5] = value
        return depth_m

    with pytest.raises(DataError, match=r"frame0\.png: toy predicts .* at 1 of 768 pixels"):
        evaluate_model(Model(spoil), Frames(2), NONE, dataset_name="toy")


def test_a_prediction_of_another_size_names_the_image() -> None:
    with pytest.raises(DataError, match=r"frame0\.png: the prediction is 32x12, the ground truth 32x24"):
        evaluate_model(Model(lambda d: d[::2]), Frames(1), NONE, dataset_name="toy")


# Part of a data set


def test_limit_takes_every_kth_and_says_so() -> None:
    result = evaluate_model(Model(), Frames(10), NONE, dataset_name="toy", limit=4)
    assert [frame.index for frame in result.frames] == [0, 3, 6, 9]
    assert (result.every, result.images, result.images_in_dataset) == (3, 4, 10)
    assert "4 images (only every 3rd of 10)" in str(result)
    whole = evaluate_model(Model(), Frames(3), NONE, dataset_name="toy", limit=5)
    assert whole.every == 1
    assert "toy on toy, 3 images\n" in str(whole)
    with pytest.raises(DataError, match="--limit"):
        evaluate_model(Model(), Frames(3), NONE, dataset_name="toy", limit=0)


# Intervals


def collected(images: int) -> DepthMetrics:
    rng, metrics = np.random.default_rng(1), DepthMetrics()
    for _ in range(images):
        truth_m = rng.uniform(1, 9, int(rng.integers(5, 50)))
        metrics.update(truth_m * rng.uniform(0.4, 2.4, truth_m.size), truth_m)
    return metrics


def test_intervals_are_those_of_resampled_images() -> None:
    images = 12
    metrics = collected(images)
    f1 = np.full((images, 3), np.nan)
    f1[::2, 0] = np.linspace(0, 1, images // 2)
    found = intervals95(metrics, f1, seed=5, resamples=200)
    assert found is not None
    # The slow way: the same draws, every resample measured from its images' own moments.
    draws = np.concatenate([np.random.default_rng(5).multinomial(images, np.full(images, 1 / images), size=200)[:200]])
    rmse_mean, rmse_pooled = [], []
    for times in draws:
        chosen = np.repeat(np.arange(images), times)
        rmse_mean.append(np.mean([metrics.per_image_values[i]["rmse"] for i in chosen]))
        squares = metrics.moments[:, 5] * metrics.pixels
        rmse_pooled.append(np.sqrt(squares[chosen].sum() / metrics.pixels[chosen].sum()))
    assert found["per_image"]["rmse"] == pytest.approx(np.percentile(rmse_mean, [2.5, 97.5]))
    assert found["pooled"]["rmse"] == pytest.approx(np.percentile(rmse_pooled, [2.5, 97.5]))
    assert tuple(found["pooled"]) == METRIC_NAMES
    low, high = found["edges"]["0.25"] or (1, 0)
    assert 0 < low < 0.5 < high < 1
    assert found["edges"]["1.0"] is None


def test_intervals_hold_the_value_are_seeded_and_shrink() -> None:
    few, many = collected(10), collected(160)
    wide, narrow = (intervals95(m, np.full((len(m.pixels), 3), np.nan)) for m in (few, many))
    assert wide is not None
    assert narrow is not None
    assert wide == intervals95(few, np.full((10, 3), np.nan))
    assert wide != intervals95(few, np.full((10, 3), np.nan), seed=1)
    for name, value in few.per_image().items():
        low, high = wide["per_image"][name] or (1, 0)
        assert low <= value <= high
        narrow_low, narrow_high = narrow["per_image"][name] or (0, 9)
        assert narrow_high - narrow_low < high - low


def test_one_image_has_no_interval() -> None:
    result = evaluate_model(Model(), Frames(1), NONE, dataset_name="toy")
    assert result.intervals95 is None
    assert "95 %" not in str(result)


# Streaming


def test_memory_does_not_grow_with_images() -> None:
    def peak(count: int) -> int:
        frames = Frames(count, 240, 320)
        tracemalloc.start()
        evaluate_model(Model(), frames, NONE, dataset_name="toy")
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(2)
    # One frame more would be 0.6 MB.
    assert peak(24) - peak(4) < 300_000


# The command


def write_nyu_test(root: Path) -> Path:
    """Three 640x480 test frames in the published layout; their truth is what the tiny bundle answers, times 1.1."""
    folder = root / "data" / "nyu2_test"
    folder.mkdir(parents=True)
    rows = []
    for number in range(3):
        small = np.random.default_rng(number).integers(10, 200, (12, 16, 3), dtype=np.uint8)
        photo = Image.fromarray(small).resize((640, 480), Image.Resampling.BILINEAR)
        depth_mm = (1100 * brightness_depth_m(np.asarray(photo))).astype(np.uint16)
        photo.save(folder / f"{number:05}_colors.png")
        Image.fromarray(depth_mm).save(folder / f"{number:05}_depth.png")
        rows.append(f"data/nyu2_test/{number:05}_colors.png,data/nyu2_test/{number:05}_depth.png\n")
    (folder.parent / "nyu2_test.csv").write_text("".join(rows))
    return root


@pytest.fixture
def nyu_root(tmp_path: Path) -> Path:
    return write_nyu_test(tmp_path / "nyu")


def test_command(nyu_root: Path, tiny_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--model", str(tiny_bundle()), "--root", str(nyu_root), "--json", str(tmp_path / "r.json")]
    words += ["--csv", str(tmp_path / "r.csv")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "tiny on nyu test, 3 images" in printed
    assert "protocol nyu-eigen: crop rows 45:471, cols 41:601, cap 10 m, alignment none, mirror averaging on" in printed
    result = json.loads((tmp_path / "r.json").read_text())
    expected = "model dataset protocol crop cap_m alignment tta images per_image pooled intervals95 edges seconds"
    assert {*expected.split(), "densedepth_version"} <= result.keys()
    assert not {"frames", "profile"} & result.keys()
    assert set(result["per_image"]) == set(result["pooled"]) == set(METRIC_NAMES)
    # The truth is 1.1 times the answer: 0.1 / 1.1.
    assert result["per_image"]["abs_rel"] == pytest.approx(0.0909, abs=0.01)
    assert set(result["edges"]) == {"0.25", "0.5", "1.0"}
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 4

    assert main([*words, "--alignment", "median", "--tta", "false", "--protocol", "nyu-densedepth"]) == 0
    assert "alignment median, mirror averaging off" in capsys.readouterr().out
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["alignment"] == "median"
    assert result["protocol"] == "nyu-densedepth"
    assert result["per_image"]["abs_rel"] < 0.02


@pytest.mark.parametrize("flag", ["--json", "--csv", "--report"])
def test_places_that_cannot_be_written_are_told_before_measuring(
    flag: str,
    nyu_root: Path,
    tiny_bundle: MakeBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("densedepth.commands.evaluate.evaluate_model", lambda *_, **__: pytest.fail("it was measured"))
    (tmp_path / "file").touch()
    words = ["evaluate", "--model", str(tiny_bundle()), "--root", str(nyu_root), flag, str(tmp_path / "file" / "x")]
    assert main(words) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path / 'file'}")


def test_command_never_imports_torch(nyu_root: Path, tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    from test_imports import TORCH, run_python

    code = """
import sys
from densedepth.cli import main
status = main(["evaluate", "--model", sys.argv[1], "--root", sys.argv[2], "--report", sys.argv[3], "--limit", "1"])
print("MODULES", status, *sys.modules)
"""
    status, *loaded = run_python(code, tiny_bundle(), nyu_root, tmp_path / "report").partition("MODULES")[2].split()
    assert status == "0"
    assert not set(loaded) & TORCH


def test_command_says_what_is_wrong(
    nyu_root: Path, tiny_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    depth = nyu_root / "data" / "nyu2_test" / "00001_depth.png"
    Image.fromarray(np.zeros((480, 640), np.uint16)).save(depth)
    words = ["evaluate", "--model", str(tiny_bundle()), "--root", str(nyu_root)]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "00001_depth.png: no pixel has a depth" in error
    assert [line.partition(":")[0] for line in error.strip().splitlines()] == ["device", "error"]
    (nyu_root / "data" / "nyu2_test.csv").write_text("")
    assert main(words) == 1
    assert "nyu2_test.csv: holds no rows" in capsys.readouterr().err


def test_real_frames(shared: Path, tiny_bundle: MakeBundle) -> None:
    from densedepth.data import open_dataset
    from densedepth.runtime import load

    frames = open_dataset("nyu", shared / "nyu", "test")
    result = evaluate_model(load(tiny_bundle()), frames, protocol_for("nyu"), dataset_name="nyu test", limit=5)
    assert result.images == 5
    assert result.pixels == 5 * (471 - 45) * (601 - 41)
    # NYU rooms have discontinuities of 25 cm.
    assert all(row["images_without_edges"] == 0 for row in result.edges.values())
