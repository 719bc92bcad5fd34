"""A run that is killed anywhere goes on, bit by bit, as if it had not been."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from densedepth.cli import main
from densedepth.errors import DenseDepthError
from densedepth.models import DenseDepth, load_checkpoint, save_checkpoint
from densedepth.training import checkpoints as checkpoints_module
from densedepth.training.checkpoints import Checkpoints
from small_runs import finish, rows, same, start, weights, write_frames, write_recipe

SCENES = [f"room_{number // 2:04}" for number in range(20)]
STEPS = 7  # of an epoch: 15 frames in other scenes than the validation's, 2 a step


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("frames"), SCENES)


def recipe(path: Path, frames: Path, **keys: Any) -> Path:
    """Everything that could be forgotten: augmentation, averaged weights, schedule, dropped paths, clipping."""
    return write_recipe(
        path,
        frames,
        data={"augment": {"zoom_probability": 0.5, "max_zoom": 1.5, "colour": 0.2}, "workers": keys.pop("workers", 0)},
        optim={"lr": 1e-3, "schedule": "onecycle", "ema_decay": 0.9, "clip_norm": 1.0, "name": "adamw"},
        engine={"checkpoint_every_steps": 3, "checkpoint_every_minutes": 0, "log_every": 2},
        epochs=3,
        **keys,
    )


def state(run: Path) -> dict[str, Any]:
    newest = max((run / "checkpoints").iterdir(), key=lambda path: path.name)
    kept: dict[str, Any] = torch.load(newest / "training.pt", weights_only=True)
    return kept


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def wait_for(path: Path, process: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def whole(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    finish("--config", recipe(folder / "recipe.yaml", frames), "--out", folder / "run")
    return folder / "run"


def test_the_network_of_these_runs_draws_random_numbers() -> None:
    net, image = DenseDepth("droppath_net", decoder_width=16).train(), torch.rand(2, 3, 64, 96)
    before = torch.get_rng_state()
    net(image)
    assert not torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_in_the_middle_of_an_epoch(workers: int, whole: Path, frames: Path, tmp_path: Path) -> None:
    config, broken = recipe(tmp_path / "recipe.yaml", frames, workers=workers), tmp_path / "broken"
    process = start("--config", config, "--out", broken)
    wait_for(broken / "checkpoints" / f"epoch-0001-step-{STEPS + 3:08}", process)
    time.sleep(0.05)  # into the steps after it
    process.send_signal(signal.SIGKILL)
    process.communicate()
    at = state(broken)["step"]
    assert STEPS < at < 2 * STEPS, "it was killed too late for the test"
    said = finish("--config", config, "--out", broken)
    assert f"going on from epoch-0001-step-{at:08}" in said
    assert same(weights(broken), weights(whole))
    assert equal(state(broken), state(whole)), "optimiser, schedule, averages, best value"
    assert rows(broken) == rows(whole)
    assert load_checkpoint(broken)[1] == load_checkpoint(whole)[1]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_saves(
    number: int, status: int, whole: Path, frames: Path, tmp_path: Path
) -> None:
    config, broken = recipe(tmp_path / "recipe.yaml", frames, workers=1), tmp_path / "broken"
    process = start("--config", config, "--out", broken)
    wait_for(broken / "checkpoints" / "epoch-0000-step-00000003", process)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    (line,) = [line for line in error.splitlines() if line.startswith("stopped")]
    step = state(broken)["step"]
    assert f"stopped at step {step} of {3 * STEPS} by {signal.Signals(number).name}" in line
    assert "the same command goes on" in line
    assert "Traceback" not in error
    finish("--config", config, "--out", broken)
    assert equal(state(broken), state(whole))
    assert rows(broken) == rows(whole)


@pytest.fixture(scope="module")
def finished(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(recipe, run folder) of a run to its end."""
    folder = tmp_path_factory.mktemp("finished")
    config = recipe(folder / "recipe.yaml", frames)
    assert main(["train", "--config", str(config), "--out", str(folder / "run")]) == 0
    return config, folder / "run"


@pytest.mark.parametrize("file", ["training.pt", "model.safetensors", "complete.json", "model.json"])
def test_a_half_written_checkpoint_is_not_loaded(
    file: str, finished: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, run = finished[0], tmp_path / "run"
    shutil.copytree(finished[1], run)
    before, newest = sorted((run / "checkpoints").iterdir())
    whole = (newest / file).read_bytes()
    (newest / file).write_bytes(whole[: len(whole) // 2])
    assert main(["train", "--config", str(config), "--out", str(run)]) == 0
    said = capsys.readouterr()
    (warning,) = [line for line in said.err.splitlines() if line.startswith("WARNING")]
    assert str(newest) in warning
    assert f"going on from {before.name}" in said.out
    assert equal(state(run), state(finished[1]))
    assert rows(run) == rows(finished[1])


def test_changed_bytes_are_noticed(finished: tuple[Path, Path], tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(finished[1] / "checkpoints", folder)
    before, newest = sorted(folder.iterdir())
    content = bytearray((newest / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (newest / "model.safetensors").write_bytes(content)
    found = Checkpoints(folder).load()
    assert found is not None
    assert found[0] == before
    assert "model.safetensors was changed" in capsys.readouterr().err
    (before / "training.pt").unlink()
    with pytest.raises(DenseDepthError, match="no checkpoint is whole; begin anew with --fresh"):
        Checkpoints(folder).load()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.decoder_width", "32"], "was trained with model.decoder_width = 16, the recipe says 32"),
        (["--model.output", "exp"], "was trained with model.output = linear, the recipe says exp"),
        (["--seed", "5"], "was started with seed = 0, this command says 5"),
        (["--batch_size", "3"], "was started with batch_size = 2, this command says 3"),
        (["--optim.schedule", "cosine"], "started with --optim.schedule onecycle, this command says cosine"),
        (["--epochs", "4"], "onecycle schedule of 21 steps, this command asks for 28"),
    ],
)
def test_another_recipe_is_refused(
    words: list[str], message: str, finished: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run = finished
    before = (run / "config.yaml").read_text()
    assert main(["train", "--config", str(config), "--out", str(run), *words]) == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert message in error
    assert (run / "config.yaml").read_text() == before, "the run keeps its own recipe"


def net() -> DenseDepth:
    return DenseDepth("test_efficientnet", decoder_width=16)


def failing(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("writer", ["torch.save", "write_checkpoint", "_sum"])
def test_a_full_disk_leaves_the_checkpoint_before(writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    first = checkpoints.save(net(), {"epoch": 0, "step": 5}, {})
    with monkeypatch.context() as full:
        full.setattr(torch if writer == "torch.save" else checkpoints_module, writer.split(".")[-1], failing)
        with pytest.raises(DenseDepthError, match=r"No space left.*make room; .*step-00000005 is whole") as caught:
            checkpoints.save(net(), {"epoch": 0, "step": 9}, {})
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "checkpoints").iterdir()) == [first]
    found = Checkpoints(tmp_path / "checkpoints").load()
    assert found is not None
    assert found[2]["step"] == 5


def test_two_checkpoints_are_kept_and_nothing_half_written_counts(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (3, 6, 9):
        checkpoints.save(net(), {"epoch": 0, "step": step}, {})
    checkpoints.save(net(), {"epoch": 1, "step": 9}, {})
    names = ["epoch-0000-step-00000009", "epoch-0001-step-00000009"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    shutil.copytree(tmp_path / names[1], tmp_path / ".writing")  # killed before it got its name
    found = Checkpoints(tmp_path).load()
    assert found is not None
    assert found[0].name == names[1]
    listed = json.loads((tmp_path / names[1] / "complete.json").read_text())
    assert sorted(listed) == ["model.json", "model.safetensors", "training.pt"]


def test_weights_are_there_between_the_two_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(net(), tmp_path / "best", {"step": 1})
    rename = Path.rename

    def killed(self: Path, target: Any) -> Path:
        if self.name == ".best-new":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as during:
        during.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(net(), tmp_path / "best", {"step": 2})
    assert not (tmp_path / "best").exists()
    assert load_checkpoint(tmp_path / "best")[1] == {"step": 1}
    assert load_checkpoint(tmp_path)[1] == {"step": 1}, "by the run folder, too"
    save_checkpoint(net(), tmp_path / "best", {"step": 3})
    assert load_checkpoint(tmp_path)[1] == {"step": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
