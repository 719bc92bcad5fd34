"""The program from the outside: what it writes, says and returns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densedepth
from conftest import MakeBundle, brightness_depth_m
from densedepth import cli, load_depth
from densedepth.commands import demo as demo_module
from densedepth.commands import models as models_module
from densedepth.commands.arguments import parser_for
from densedepth.commands.outputs import output_stems
from densedepth.runtime import DepthEstimator, zoo

SOURCE = Path(densedepth.__file__).parents[1]
Predict = Callable[..., int]


def photo(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)
    return path


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def predict(tiny_bundle: MakeBundle, tmp_path: Path) -> Predict:
    bundle = tiny_bundle()

    def run(*words: object, out: str = "out") -> int:
        return cli.main(["predict", *map(str, words), "-o", str(tmp_path / out), "--model", str(bundle)])

    return run


def test_default_formats_and_report(predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(photo(tmp_path / "room.jpg")) == 0
    assert written(tmp_path / "out") == ["room_depth.png", "room_depth_color.png"]
    output = capsys.readouterr()
    assert "room_depth.png" in output.out
    assert "1 predicted; depth 4.22 to 4.22 m" in output.out
    assert "camera unknown for 1: a 35mm-equivalent focal length of 28 mm assumed" in output.out
    assert "error" not in output.err
    depth = load_depth(tmp_path / "out" / "room_depth.png")
    assert (depth.model, depth.camera_source) == ("tiny", "assumed")
    np.testing.assert_allclose(depth.depth_m, 4.217, atol=0.1)


def test_all_formats(predict: Predict, tmp_path: Path) -> None:
    assert predict(photo(tmp_path / "x.png"), "--format", "npz", "tiff", "ply", "glb", "--tta") == 0
    assert written(tmp_path / "out") == ["x_depth.glb", "x_depth.npz", "x_depth.ply", "x_depth.tiff"]


def test_folder_is_mirrored_and_other_files_left_alone(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo(tmp_path / "in" / "a.jpg")
    photo(tmp_path / "in" / "deep" / "er" / "B.PNG")
    photo(tmp_path / "in" / ".hidden" / "c.png")
    photo(tmp_path / "in" / "a_depth.png")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    assert predict(tmp_path / "in", "--format", "npz") == 0
    assert written(tmp_path / "out") == ["a_depth.npz", "deep/er/B_depth.npz"]
    assert "2 predicted; 2 files that are no pictures left alone" in capsys.readouterr().out


def test_patterns_keep_the_tree_and_name_each_file_once(predict: Predict, tmp_path: Path) -> None:
    for name in ("a/x.jpg", "b/x.jpg", "b/y.txt"):
        photo(tmp_path / "in" / name) if name.endswith("jpg") else (tmp_path / "in" / name).write_text("")
    pattern = tmp_path / "in" / "**" / "*.jpg"
    assert predict(pattern, pattern, tmp_path / "in" / "a" / "x.jpg", "--format", "npz") == 0
    assert written(tmp_path / "out") == ["a/x_depth.npz", "b/x_depth.npz"]


def test_same_names_do_not_overwrite_each_other(predict: Predict, tmp_path: Path) -> None:
    files = [photo(tmp_path / name) for name in ("a.jpg", "a.png", "b/a.png")]
    assert predict(*files, "--format", "npz") == 0
    assert written(tmp_path / "out") == ["a_depth.npz", "a_png_2_depth.npz", "a_png_depth.npz"]


def test_stems_are_all_different() -> None:
    places = [Path(name) for name in ("a", "a.png", "a_png.jpg", "x/a.png", "a", "A.PNG")]
    stems = [stem.as_posix() for stem in output_stems(places)]
    assert stems == ["a", "a_png", "a_png_jpg", "x/a", "a_2", "A_PNG_2"]


def test_existing_results_are_kept(predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = photo(tmp_path / "a.jpg")
    assert predict(image, "--format", "npz") == 0
    before = (tmp_path / "out" / "a_depth.npz").stat().st_mtime_ns
    assert predict(image, "--format", "npz") == 0
    assert "1 skipped" in capsys.readouterr().out
    assert predict(image, "--format", "npz", "tiff") == 0
    assert (tmp_path / "out" / "a_depth.npz").stat().st_mtime_ns == before
    assert "a_depth.tiff" in written(tmp_path / "out")
    assert predict(image, "--format", "npz", "--overwrite") == 0
    assert (tmp_path / "out" / "a_depth.npz").stat().st_mtime_ns > before


def test_an_empty_result_is_no_result(predict: Predict, tmp_path: Path) -> None:
    """As a power cut may leave it."""
    image = photo(tmp_path / "a.jpg")
    assert predict(image, "--format", "npz", "tiff") == 0
    (tmp_path / "out" / "a_depth.npz").write_bytes(b"")
    assert predict(image, "--format", "npz", "tiff") == 0
    assert load_depth(tmp_path / "out" / "a_depth.npz").valid.all()


def test_a_folder_that_cannot_be_read_is_named(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "in" / "a.jpg")
    closed = photo(tmp_path / "in" / "closed" / "b.jpg").parent
    scan = os.scandir

    def refusing(folder: str) -> object:
        if str(folder) == str(closed):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert predict(tmp_path / "in", "--format", "npz") == 1
    output = capsys.readouterr()
    assert f"error: {closed}: cannot be read (Permission denied)\n" in output.err
    assert "1 predicted; 1 failed" in output.out


@pytest.mark.parametrize("words", [["x" * 300], ["a.jpg", "--model", "x" * 300]])
def test_names_that_no_file_can_have_are_one_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo(tmp_path / "a.jpg").parent)
    assert cli.main(["predict", *words]) == 1
    why = "File name too long; give another name, then run the command again"
    assert capsys.readouterr().err == f"error: {'x' * 300}: {why}\n"


def test_failures_are_one_line_each_and_the_run_goes_on(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    (tmp_path / "empty").mkdir()
    words = [
        bad,
        tmp_path / "missing.jpg",
        tmp_path / "empty",
        tmp_path / "*.gif",
        photo(tmp_path / "ok.jpg"),
    ]
    assert predict(*words, "--format", "npz") == 1
    output = capsys.readouterr()
    lines = [line for line in output.err.splitlines() if not line.startswith("device: ")]
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)
    for word in words[:4]:
        assert sum(f"error: {word}:" in line for line in lines) == 1
    assert "1 predicted; 4 failed" in output.out
    assert written(tmp_path / "out") == ["ok_depth.npz"]


def test_depth_that_does_not_fit_is_a_failure_of_that_photo(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = photo(tmp_path / "far.jpg")
    assert predict(image, "--format", "png16", "--focal-35mm", "1000") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {image}: ")
    assert ".npz" in error


@pytest.mark.parametrize(("option", "value"), [("--fov", "60"), ("--focal-35mm", "37.47")])
def test_the_camera_can_be_given(predict: Predict, tmp_path: Path, option: str, value: str) -> None:
    assert predict(photo(tmp_path / "x.png", (320, 240)), "--format", "npz", option, value) == 0
    depth = load_depth(tmp_path / "out" / "x_depth.npz")
    assert depth.camera_source == "given"
    assert depth.camera is not None
    assert depth.camera.fx == pytest.approx(277.1 if option == "--fov" else 346.4, abs=0.1)
    gray = np.array([[[200, 100, 50]]], np.uint8)
    expected_m = brightness_depth_m(gray)[0, 0] * depth.camera.fx / 260
    np.testing.assert_allclose(depth.depth_m, expected_m, rtol=1e-4)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["predict"],
        ["predict", "x.jpg", "--format", "jpeg"],
        ["predict", "x.jpg", "--fov", "200"],
        ["predict", "x.jpg", "--focal-35mm", "0"],
        ["predict", "x.jpg", "--fov", "60", "--focal-35mm", "28"],
        ["predict", "x.jpg", "--nonsense"],
        ["predict", "x.jpg", "--workers", "-1"],
    ],
)
def test_wrong_usage_is_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: str | int | None = cli.main(words)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert "Traceback" not in capsys.readouterr().err


def test_unknown_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict", str(photo(tmp_path / "x.png")), "--model", "nope", "-o", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: unknown model 'nope'")
    assert error.count("\n") == 1


def test_interruption(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DepthEstimator, "predict", interrupted)
    assert predict(photo(tmp_path / "x.png")) == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_version_and_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert densedepth.__version__ in capsys.readouterr().out
    assert cli.main(["--help"]) == 0
    overview = capsys.readouterr().out
    assert all(f"densedepth {name}" in overview for name in cli.COMMANDS)


def test_help_comes_from_the_docstring() -> None:
    from densedepth.commands.predict import predict

    text = " ".join(parser_for(predict, "densedepth predict").format_help().split())
    assert "average with the mirrored photo" in text
    assert "png16,color,npz,tiff,ply,glb" in text
    assert "the output mirrors the tree" in text


def test_options_from_yaml(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text("format: [npz]\ntta: true\nfov: 60\n")
    assert predict(photo(tmp_path / "x.png"), "--config", tmp_path / "options.yaml") == 0
    assert written(tmp_path / "out") == ["x_depth.npz"]


def test_models_lists_cards_with_their_protocol(
    tiny_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_bundle("toy.onnx").parent
    monkeypatch.setattr(zoo, "BUNDLES_DIR", folder)
    monkeypatch.setattr(models_module, "BUNDLES_DIR", folder)
    assert cli.main(["models"]) == 0
    output = capsys.readouterr().out
    assert "toy" in output
    assert "dataset toy, protocol plain" in output
    assert "delta1 0.500  rmse 1.250" in output


def test_demo_works_twice(
    tiny_bundle: MakeBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo(tmp_path / "examples" / "room.jpg")
    monkeypatch.setattr(demo_module, "EXAMPLES_DIR", tmp_path / "examples")
    for _ in range(2):
        assert cli.main(["demo", "--out", str(tmp_path / "out"), "--model", str(tiny_bundle())]) == 0
        output = capsys.readouterr().out
        assert "room_depth.ply" in output
        assert "1 predicted; depth 4.22 to 4.22 m" in output
    assert written(tmp_path / "out") == ["room_depth.ply", "room_depth.png", "room_depth_color.png"]


def nasty_folder(folder: Path) -> None:
    """20 photos of mixed sizes and modes, and 4 that give trouble."""
    folder.mkdir()
    generator = np.random.default_rng(3)
    modes = ["RGB", "L", "RGBA", "P", "1", "LA", "CMYK", "I;16", "I", "F"]
    for number in range(20):
        mode = modes[number % len(modes)]
        width, height = generator.integers(20, 900, 2)
        grey = generator.random((height, width))
        if mode in ("I;16", "I", "F"):
            dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
            picture = Image.fromarray((grey * 60000).astype(dtype))
        else:
            picture = Image.fromarray((grey * 255).astype(np.uint8)).convert("RGB").convert(mode)
        suffix = {"CMYK": ".jpg", "I": ".tif", "F": ".tif"}.get(mode, ".png")
        picture.save(folder / f"photo{number:02}{suffix}")
    whole = folder / "truncated.jpg"
    Image.fromarray(generator.integers(0, 255, (200, 300, 3), dtype=np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:-5000])
    (folder / "text.jpg").write_text("This is a text.")
    Image.new("RGB", (1, 1), "red").save(folder / "one.png")
    Image.radial_gradient("L").resize((6000, 4000)).convert("RGB").save(folder / "big.jpg")


MEASURED_RUN = """
import re, sys
from pathlib import Path
from densedepth.cli import main
status = main(sys.argv[1:])
# Not ru_maxrss, which begins with the size of the process that started this one.
print("MEASURED", status, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_nasty_folder_in_2_gb(tiny_bundle: MakeBundle, tmp_path: Path) -> None:
    nasty_folder(tmp_path / "in")
    words = ["predict", tmp_path / "in", "-o", tmp_path / "out", "--workers", 4, "--model", tiny_bundle()]
    command = [sys.executable, "-c", MEASURED_RUN, *map(str, words), "--format", "png16", "color", "ply"]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=True, capture_output=True, text=True
    )
    status, peak_kib = run.stdout.partition("MEASURED ")[2].split()
    assert status == "1"
    assert int(peak_kib) < 2 * 1024**2
    device, *errors = run.stderr.splitlines()
    assert device == "device: onnxruntime"
    assert [line.split(":")[0] for line in errors] == ["error"] * 2, run.stderr
    assert "text.jpg" in errors[0]
    assert "truncated.jpg" in errors[1]
    assert "22 predicted; 2 failed" in run.stdout
    for file in (tmp_path / "in").iterdir():
        results = list((tmp_path / "out").glob(f"{file.stem}_depth*"))
        assert len(results) == (0 if file.stem in ("text", "truncated") else 3)
    assert load_depth(tmp_path / "out" / "big_depth.png").depth_m.shape == (4000, 6000)


def test_a_module_run_reports_and_returns(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "densedepth", "predict", str(tmp_path / "none*.jpg")]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
