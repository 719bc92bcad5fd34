"""In-painting: golden numbers, the fast form against the exact one, and the command that fills a data set."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import densedepth
from densedepth import cli
from densedepth.commands import data_fill
from densedepth.commands.processes import in_processes
from densedepth.data import open_dataset
from densedepth.data.fill import fill_depth
from densedepth.data.fill_solver import nested_dissection, solve
from densedepth.errors import DataError

csc_array = pytest.importorskip("scipy.sparse").csc_array
SOURCE = Path(densedepth.__file__).parents[1]


def scene(height: int, width: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A photo with texture, noise and boxes of other brightness, and its whole depth with the same edges."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    grey = 120 + 30 * np.sin(columns / 17) + rng.normal(0, 4, (height, width))
    depth_m = 2 + 2 * rows / height + columns / width
    for _ in range(12):
        top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
        box = np.s_[top : top + rng.integers(8, height // 2), left : left + rng.integers(8, width // 3)]
        grey[box] = rng.integers(20, 235) + rng.normal(0, 3, grey[box].shape)
        depth_m[box] = rng.uniform(1, 4)
    rgb = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return rgb, depth_m.astype(np.float32)


def kinect_holes(depth_m: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Shadows beside near objects, blobs, a border and specks without depth."""
    rng = np.random.default_rng(seed)
    holed = depth_m.copy()
    height, width = depth_m.shape
    for row, column in zip(*np.nonzero(np.abs(np.diff(depth_m, axis=1)) > 0.3), strict=True):
        holed[row, column : column + 7] = 0
    for _ in range(8):
        row, column = rng.integers(0, height), rng.integers(0, width)
        holed[row : row + height // 10, column : column + width // 10] = 0
    holed[:4] = holed[:, -6:] = 0
    holed[rng.random(depth_m.shape) < 0.003] = 0
    return holed


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("case", ["c0", "c1", "c2"])
def test_golden_numbers(parity: Path, case: str, exact: bool) -> None:
    with np.load(parity / "fill.npz") as golden:
        rgb, depth, alpha, out = (golden[f"{case}/{name}"] for name in ("rgb", "depth", "alpha", "out"))
    filled = fill_depth(rgb, depth, float(alpha), exact=exact)
    np.testing.assert_allclose(filled, out, rtol=1e-6)


def dense_solution(grey: NDArray[np.float64], depth: NDArray[np.float64], alpha: float) -> NDArray[np.floating]:
    """The definition, pixel by pixel."""
    height, width = grey.shape
    matrix, right = np.eye(grey.size), np.zeros(grey.size)
    for row in range(height):
        for column in range(width):
            window = [(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
            window = [(r, c) for r, c in window if 0 <= r < height and 0 <= c < width]
            others = [place for place in window if place != (row, column)]
            values = np.array([grey[place] for place in others])
            square = (values - grey[row, column]) ** 2
            spread = max(0.6 * np.var([grey[place] for place in window]), -square.min() / np.log(0.01), 2e-6)
            weights = np.exp(-square / spread)
            here = row * width + column
            for (r, c), weight in zip(others, weights / weights.sum(), strict=True):
                matrix[here, r * width + c] -= weight
            if depth[row, column] > 0:
                matrix[here, here] += alpha
                right[here] = alpha * depth[row, column]
    return np.linalg.solve(matrix, right).reshape(height, width)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(2, 9),
    seed=st.integers(0, 2**32 - 1),
    alpha=st.sampled_from([0.05, 0.5, 1.0, 30.0]),
    share=st.floats(0.05, 0.95),
    levels=st.sampled_from([1, 2, 5, 256]),
)
def test_both_forms_solve_the_definition(
    height: int, width: int, seed: int, alpha: float, share: float, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, levels, (height, width)) * (255 // max(levels - 1, 1))
    rgb = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    depth = rng.uniform(1, 5, (height, width)) * (rng.random((height, width)) < share)
    depth.flat[rng.integers(depth.size)] = 3.0
    wanted = np.where(depth > 0, depth, dense_solution(grey / 255, depth, alpha))
    np.testing.assert_allclose(fill_depth(rgb, depth, alpha, exact=True), wanted, rtol=1e-5)
    # Leaving known pixels out that are far from holes costs little, also where their depth is noise of 4 m.
    np.testing.assert_allclose(fill_depth(rgb, depth, alpha), wanted, atol=0.2)


@pytest.mark.parametrize("holes", ["kinect", "lidar", "half"])
def test_fast_form_is_within_5_mm_of_the_exact_one(holes: str) -> None:
    rgb, whole_m = scene(120, 200)
    if holes == "kinect":
        depth_m = kinect_holes(whole_m)
    elif holes == "lidar":
        depth_m = whole_m * (np.random.default_rng(0).random(whole_m.shape) < 0.05)
        depth_m[:40] = 0
    else:
        depth_m = whole_m.copy()
        depth_m[:, 100:] = 0
    difference_mm = 1000 * np.abs(fill_depth(rgb, depth_m) - fill_depth(rgb, depth_m, exact=True))[depth_m == 0]
    assert np.quantile(difference_mm, 0.99) < 0.5
    assert difference_mm.max() < 5


def test_known_depth_is_kept_to_the_bit_and_the_rest_lies_between() -> None:
    rgb, whole_m = scene(60, 80)
    depth_m = kinect_holes(whole_m)
    filled_m = fill_depth(rgb, depth_m)
    known = depth_m > 0
    assert filled_m.dtype == np.float32
    assert 0.05 < np.mean(~known) < 0.9
    assert np.array_equal(filled_m[known], depth_m[known])
    assert filled_m.min() == depth_m[known].min()
    assert filled_m.max() == depth_m.max()


def test_edges_of_the_photo_stop_the_depth() -> None:
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[:, 30:] = 200
    depth_m = np.zeros((40, 60), np.float32)
    depth_m[20, 5], depth_m[20, 55] = 1, 4
    filled_m = fill_depth(rgb, depth_m)
    assert filled_m[:, :30].max() < 1.2
    assert filled_m[:, 30:].min() > 3.8


def test_a_region_that_hangs_on_by_next_to_nothing() -> None:
    # A white square on black has no known pixel, and affinities to the outside of less than 0.001.
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[8:56, 8:56] = 255
    depth_m = np.zeros((64, 64), np.float32)
    depth_m[0], depth_m[-1] = 2, 3
    np.testing.assert_allclose(fill_depth(rgb, depth_m), fill_depth(rgb, depth_m, exact=True), atol=5e-4)


@pytest.mark.parametrize("leak", [1e-3, 1e-7, 1e-9])
def test_what_single_precision_cannot_solve_double_does(leak: float) -> None:
    matrix = csc_array(np.array([[1 + leak, -1], [-1, 1]]))
    np.testing.assert_allclose(solve(matrix, np.array([leak, 0])), [1, 1], rtol=1e-5)


def test_uint8_and_float_photos_are_the_same() -> None:
    rgb, whole_m = scene(30, 40)
    depth_m = kinect_holes(whole_m)
    np.testing.assert_allclose(fill_depth(rgb / 255, depth_m), fill_depth(rgb, depth_m), rtol=1e-6)
    np.testing.assert_allclose(fill_depth(rgb, depth_m * 1000), 1000 * fill_depth(rgb, depth_m), rtol=1e-6)


def test_small_and_plain_pictures() -> None:
    black = np.zeros((20, 30, 3), np.uint8)
    depth_m = np.zeros((20, 30), np.float32)
    depth_m[3, 4] = 2.5
    np.testing.assert_allclose(fill_depth(black, depth_m), 2.5)
    assert fill_depth(black[:1, :1], np.ones((1, 1), np.float32)).tolist() == [[1.0]]
    assert fill_depth(black[:1, :2], np.array([[0, 2]], np.uint16)).tolist() == [[2.0, 2.0]]
    whole_m = np.full((20, 30), 1.5, np.float32)
    assert np.array_equal(fill_depth(black, whole_m), whole_m)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth_m": np.zeros((4, 5))}, "no pixel has a depth"),
        ({"depth_m": np.full((4, 5), np.nan)}, "20 pixels of the depth are NaN or infinite"),
        ({"depth_m": -np.ones((4, 5))}, "20 pixels have negative depth"),
        ({"depth_m": np.ones((5, 4))}, "photo 5x4 and depth 4x5 differ in size"),
        ({"depth_m": np.ones((4, 5, 1))}, "depth must be numbers of shape"),
        ({"depth_m": np.zeros((0, 5))}, "depth must be numbers of shape"),
        ({"rgb": np.zeros((4, 5))}, "the photo must have the shape"),
        ({"rgb": np.zeros((4, 5, 3), np.int32)}, "the photo must be uint8 or float"),
        ({"rgb": np.full((4, 5, 3), 255.0)}, "from 0 to 1; divide by 255"),
        ({"rgb": np.full((4, 5, 3), np.nan)}, "finite numbers from 0 to 1"),
        ({"alpha": 0.0}, "alpha must be a positive number"),
        ({"alpha": float("nan")}, "alpha must be a positive number"),
    ],
)
def test_bad_input_is_one_line(change: dict[str, object], message: str) -> None:
    arguments = {"rgb": np.zeros((4, 5, 3), np.uint8), "depth_m": np.eye(4, 5), "alpha": 1.0} | change
    with pytest.raises(DataError, match=message) as caught:
        fill_depth(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_without_scipy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(DataError, match=r"pip install densedepth\[train\]"):
        fill_depth(np.zeros((4, 5, 3), np.uint8), np.eye(4, 5))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (5, 3), (33, 70)])
def test_nested_dissection_takes_every_pixel_once(size: tuple[int, int]) -> None:
    order = nested_dissection(*size)
    assert np.array_equal(np.sort(order), np.arange(size[0] * size[1]))


# The command.


@pytest.fixture
def own_frames(tmp_path: Path) -> Path:
    """Four photos and their depth with holes, in millimetres."""
    for name in ("rgb", "depth"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    for number in range(4):
        rgb, whole_m = scene(30, 40, seed=number)
        millimetres = np.rint(1000 * kinect_holes(whole_m, seed=number)).astype(np.uint16)
        Image.fromarray(rgb).save(tmp_path / "mine" / "rgb" / f"{number:04d}.png")
        Image.fromarray(millimetres).save(tmp_path / "mine" / "depth" / f"{number:04d}.png")
    return tmp_path / "mine"


def run(root: Path, out: Path, *words: str) -> int:
    options = ["--options.metres_per_unit", "0.001", "--workers", "1"]
    return cli.main(["data", "fill", "--root", str(root), "-o", str(out), *options, *words])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fills_a_folder_into_one_that_training_reads(
    own_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(own_frames)
    assert run(own_frames, tmp_path / "out") == 0
    assert "4 filled, " in capsys.readouterr().out
    assert files_of(own_frames) == before
    holed = open_dataset("folder", own_frames, "train", metres_per_unit=0.001)
    filled = open_dataset("folder", tmp_path / "out", "train")
    assert len(filled) == 4
    assert list(filled.scenes) == list(holed.scenes)
    for one, other in zip((holed[i] for i in range(4)), (filled[i] for i in range(4)), strict=True):
        assert np.array_equal(one.image, other.image)
        assert other.valid.all()
        assert np.array_equal(one.depth_m[one.valid], other.depth_m[one.valid])
        wanted = fill_depth(one.image, one.depth_m)
        np.testing.assert_allclose(other.depth_m, wanted, atol=0.0006)


@pytest.mark.parametrize(("name", "scale"), [("kitti", 1 / 256), ("npz", None)])
def test_other_formats(own_frames: Path, tmp_path: Path, name: str, scale: float | None) -> None:
    assert run(own_frames, tmp_path / "out", "--format", name, "--options.fov", "60") == 0
    holed = open_dataset("folder", own_frames, "train", metres_per_unit=0.001, fov=60)
    filled = open_dataset("folder", tmp_path / "out", "train", metres_per_unit=scale)
    assert filled[2].camera == holed[2].camera
    wanted = fill_depth(holed[2].image, holed[2].depth_m)
    np.testing.assert_allclose(filled[2].depth_m, wanted, atol=1e-9 if scale is None else scale / 1.9)


def test_an_interrupted_run_goes_on(
    own_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fill_one = data_fill.fill_one

    def interrupted(job: data_fill.FillJob) -> data_fill.FillResult:
        if job.index == 2:
            raise KeyboardInterrupt
        return fill_one(job)

    with monkeypatch.context() as patch:
        patch.setattr(data_fill, "fill_one", interrupted)
        assert run(own_frames, out) == 130
    assert not (out / "manifest.csv").exists()
    done = files_of(out)
    # As if the power had gone in the middle of a line.
    with (out / "fill.jsonl").open("a") as journal:
        journal.write('{"index": 2, "ima')
    assert run(own_frames, out) == 0
    assert "2 filled" in (text := capsys.readouterr().out)
    assert "2 kept" in text
    now = files_of(out)
    assert all(now[name] == done[name] for name in done if name != "fill.jsonl")
    assert len((out / "manifest.csv").read_text().splitlines()) == 5
    (out / "depth" / "000001.png").unlink()
    assert run(own_frames, out) == 0
    assert "1 filled" in (text := capsys.readouterr().out)
    assert "3 kept" in text
    assert run(own_frames, out, "--overwrite") == 0
    assert "4 filled" in capsys.readouterr().out
    assert files_of(out) == now


def test_a_write_that_fails_leaves_nothing_half_written(
    own_frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save = Image.Image.save

    def full(self: Image.Image, path: Path, *words: Any, **options: Any) -> None:
        if Path(path).parent.name == "depth" and len(list(Path(path).parent.glob("0*"))) == 1:
            Path(path).write_bytes(b"\x89PNG half a fi")
            raise OSError(28, "No space left on device")
        save(self, path, *words, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full)
        assert run(own_frames, tmp_path / "out") == 1
    output = capsys.readouterr()
    assert output.err.count("error: ") == 3
    assert "No space left on device" in output.err
    assert "1 filled" in output.out
    assert "3 failed" in output.out
    assert [path.name for path in (tmp_path / "out" / "depth").iterdir()] == ["000000.png"]
    assert not list((tmp_path / "out").rglob(".densedepth-*"))
    assert len(open_dataset("folder", tmp_path / "out", "train")) == 1
    assert run(own_frames, tmp_path / "out") == 0
    assert "3 filled" in capsys.readouterr().out


def test_a_frame_that_cannot_be_read_is_one_line(
    own_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint16)).save(own_frames / "depth" / "0001.png")
    (own_frames / "rgb" / "0002.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(own_frames, tmp_path / "out") == 1
    output = capsys.readouterr()
    errors = [line for line in output.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert "0001.png" in errors[0]
    assert "no pixel has a depth" in errors[0]
    assert "0002.png" in errors[1]
    assert "2 filled" in output.out
    assert "2 failed" in output.out
    rows = (tmp_path / "out" / "manifest.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["image", "images/000000.png", "images/000003.png"]


def test_other_peoples_files_are_left_alone(
    own_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(own_frames)
    for out in (own_frames, own_frames / "filled"):
        assert run(own_frames, out, "--overwrite") == 2
        assert "lies in the data set" in capsys.readouterr().err
    assert run(own_frames, own_frames.parent, "--overwrite") == 0
    other = shutil.copytree(own_frames, tmp_path / "other")
    (own_frames.parent / "fill.jsonl").unlink()
    assert run(other, own_frames.parent, "--overwrite") == 1
    assert "holds files that are not of this command" in capsys.readouterr().err
    assert files_of(own_frames) == before
    assert run(own_frames, tmp_path / "out") == 0
    assert run(own_frames, tmp_path / "out", "--alpha", "0.5") == 1
    assert "another data set or other options" in capsys.readouterr().err
    assert run(own_frames, tmp_path / "out", "--alpha", "0.5", "--overwrite") == 0


def test_options_can_be_corrected_where_no_frame_came_through(
    own_frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "fill", "--root", str(own_frames), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert cli.main(words) == 1
    output = capsys.readouterr()
    assert "unknown unit; set metres_per_unit" in output.err
    assert output.out.startswith("0 filled; 4 failed")
    assert not (tmp_path / "out" / "manifest.csv").exists()
    assert run(own_frames, tmp_path / "out") == 0


@pytest.mark.parametrize("words", [["--alpha", "0"], ["--workers", "-1"], ["--format", "gif"]])
def test_bad_options(own_frames: Path, tmp_path: Path, words: list[str]) -> None:
    try:
        status: object = run(own_frames, tmp_path / "out", *words)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert not (tmp_path / "out").exists()


def test_too_deep_for_16_bit_names_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = np.where(np.eye(20, 30) > 0, 70.0, 0.0).astype(np.float32)
    (tmp_path / "mine").mkdir()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "mine" / "a.png")
    np.save(tmp_path / "mine" / "a.npy", far)
    words = ["data", "fill", "--root", str(tmp_path / "mine"), "-o", str(tmp_path / "out"), "--workers", "1"]
    assert cli.main(words) == 1
    assert "npz" in capsys.readouterr().err
    assert cli.main([*words, "--format", "kitti", "--overwrite"]) == 0


# Processes.


def doubled(number: int, deadly: Path | None = None, once: bool = False) -> int:
    """Twice the number; 3 kills its own process, only the first time if `once`."""
    if number == 3 and deadly is not None and not (once and deadly.exists()):
        deadly.touch()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_a_killed_process_costs_only_its_job(tmp_path: Path) -> None:
    results = dict(in_processes(partial(doubled, deadly=tmp_path / "deadly"), range(8), workers=2))
    assert results == {number: None if number == 3 else 2 * number for number in range(8)}


def test_a_process_killed_once_costs_nothing(tmp_path: Path) -> None:
    work = partial(doubled, deadly=tmp_path / "deadly", once=True)
    assert dict(in_processes(work, range(6), workers=2)) == {number: 2 * number for number in range(6)}


def process_after(seconds: float) -> int:
    """The number of the process that did it."""
    time.sleep(seconds)
    return os.getpid()


def test_processes_end_with_a_parent_that_is_killed() -> None:
    code = """
from densedepth.commands.processes import in_processes
from test_fill import process_after
for _, number in in_processes(process_after, [0, 60], workers=2):
    print(number, flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) != parent.pid
    parent.kill()
    # The pipe ends when the last process that holds it is gone.
    assert parent.communicate(timeout=30)[0] == ""


@pytest.mark.slow
def test_ctrl_c_ends_in_order_and_the_next_run_goes_on(tmp_path: Path) -> None:
    # Enough for the interrupt to come in time on a busy machine.
    root, out, count = tmp_path / "mine", tmp_path / "out", 150
    for name in ("rgb", "depth"):
        (root / name).mkdir(parents=True)
    rgb, whole_m = scene(120, 200)
    for number in range(count):
        Image.fromarray(rgb).save(root / "rgb" / f"{number:04d}.png")
        np.save(root / "depth" / f"{number:04d}.npy", kinect_holes(whole_m, seed=number))
    command = [sys.executable, "-m", "densedepth", "data", "fill", "--root", str(root), "-o", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--workers", "2"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite that a shell started in the background ignores the interrupt, and its children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not list((out / "depth").glob("0*")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert not list(out.rglob(".densedepth-*"))
    done = len((out / "fill.jsonl").read_text().splitlines()) - 1
    assert 0 <= done < count
    (out / "depth" / ".densedepth-killed.png").touch()
    output = subprocess.run([*command, "--workers", "2"], env=environment, check=True, capture_output=True, text=True)
    assert f"{count - done} filled" in output.stdout
    assert len((out / "manifest.csv").read_text().splitlines()) == count + 1
    assert not list(out.rglob(".densedepth-*"))
    assert json.loads((out / "fill.jsonl").read_text().splitlines()[0])["frames"] == count
