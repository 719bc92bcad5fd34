"""Training on a handful of frames whose brightness is their depth: it learns, stops, goes on, keeps the best."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from conftest import write_nyu_layout
from densedepth.cli import main
from densedepth.commands.arguments import parser_for
from densedepth.data import AugmentConfig, NyuCsv
from densedepth.errors import DenseDepthError
from densedepth.losses import DepthLoss, LogDepthLoss
from densedepth.models import DenseDepth, load_checkpoint, save_checkpoint
from densedepth.training.config import AlsoConfig, DataConfig, LossConfig, ModelConfig, OptimConfig
from densedepth.training.guard import LossGuard
from densedepth.training.loader import DepthData
from densedepth.training.module import build_loss
from densedepth.training.optim import build_optimizer
from densedepth.training.session import Session
from densedepth.training.train import train
from small_runs import HEIGHT, WIDTH, data, write_frames

SCENES = ("attic_0001", "attic_0001", "den_0002", "den_0002", "den_0003a", "hall_0001", "hall_0001", "shed_0001")
TINY = ModelConfig(encoder="test_efficientnet", decoder_width=32, pretrained=False)
TINY_EXP = replace(TINY, output="exp")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of slanted planes, 1 to 9 m; the darker, the deeper. One in 8 bit, with holes."""
    root = write_frames(tmp_path_factory.mktemp("frames"), list(SCENES))
    path = root / "data" / "nyu2_train" / f"{SCENES[1]}_out" / "1.png"
    depth_m = np.asarray(Image.open(path)) / 1000
    depth_m[:, :10] = 0
    Image.fromarray((depth_m / 10 * 255).astype(np.uint8)).save(path)
    return root


def run(frames: Path, out: Path, **changes: Any) -> Path:
    """A short run: 6 of 8 frames, 3 steps an epoch."""
    usual: dict[str, Any] = {
        "data": data(frames),
        "model": TINY,
        "optim": OptimConfig(lr=1e-3),
        "out": out,
        "epochs": 1,
        "batch_size": 2,
        "channels_last": False,
    }
    return train(**{**usual, **changes})


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "best" / "model.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loss of every step, in order; also sees that every step runs in training mode."""
    seen: list[float] = []
    step = Session.train_step

    def spying(self: Session, batch: dict[str, Tensor], stop: bool) -> Tensor:
        assert all(module.training for module in self.module.modules()), "a part of the network is in eval mode"
        report = step(self, batch, stop)
        seen.append(report[0].item())
        return report

    monkeypatch.setattr(Session, "train_step", spying)
    return seen


@pytest.mark.parametrize(("model", "loss"), [(TINY, "paper"), (TINY_EXP, "log")], ids=["paper", "log"])
def test_loss_falls(model: ModelConfig, loss: Any, frames: Path, tmp_path: Path, losses: list[float]) -> None:
    optim = OptimConfig(lr=5e-3)
    out = run(frames, tmp_path / "run", model=model, loss=LossConfig(loss), optim=optim, epochs=12, validate_every=4)
    assert len(losses) == 36
    first, last = np.mean(losses[:6]), np.mean(losses[-6:])
    assert last < 0.6 * first, f"{loss} loss went from {first} to {last}"
    # And what is left in best/ knows that dark is deep.
    net, info = load_checkpoint(out)
    correlations = []
    for frame in map(NyuCsv(frames).__getitem__, range(len(SCENES))):
        with torch.no_grad():
            depth_m = net.depth_m(torch.tensor(frame.image).permute(2, 0, 1)[None] / 255)[0].numpy()
        correlations.append(np.corrcoef(depth_m[frame.valid], frame.depth_m[frame.valid])[0, 1])
    assert np.mean(correlations) > 0.6
    assert info["step"] in (12, 24, 36)
    assert 0 <= info["validation"]["val_delta1"] <= 1


def test_a_run_folder_holds_what_is_promised(frames: Path, tmp_path: Path) -> None:
    out = run(frames, tmp_path / "deep" / "run", epochs=2)
    assert out == tmp_path / "deep" / "run"
    names = {path.name for path in out.iterdir()}
    assert names == {"config.yaml", "best", "checkpoints", "metrics.csv", "tensorboard"}
    assert sorted(path.name for path in (out / "best").iterdir()) == ["config.yaml", "model.json", "model.safetensors"]
    assert (out / "best" / "config.yaml").read_text() == (out / "config.yaml").read_text()
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == [
        "epoch-0001-step-00000003",
        "epoch-0002-step-00000006",
    ]
    assert not [path for path in out.rglob("*") if path.name.startswith(".")], "nothing temporary is left"
    (log,) = out.rglob("metrics.csv")
    rows = list(csv.DictReader(log.open()))
    delta1 = [float(row["val_delta1"]) for row in rows if row.get("val_delta1")]
    assert len(delta1) == 2
    assert len([row for row in rows if row.get("train_loss_epoch")]) == 2
    _, info = load_checkpoint(out)
    assert info["validation"]["val_delta1"] == pytest.approx(max(delta1))
    assert "6 frames" in info["training_data"]


def test_config_of_a_run_is_a_recipe(frames: Path, tmp_path: Path) -> None:
    """config.yaml through the command line's parser gives the objects that the run was started with."""
    given: dict[str, Any] = {
        "data": data(frames, augment=AugmentConfig(zoom_probability=0.5, max_zoom=1.5, colour=0.1), workers=0),
        "model": replace(TINY_EXP, depth_range_m=(0.2, 20.0), align_corners=True),
        "loss": LossConfig("log", gradient_weight=0.25),
        "optim": OptimConfig("adamw", lr=2e-3, encoder_lr_factor=0.3, weight_decay=0.01, schedule="onecycle"),
        "epochs": 1,
        "max_steps": 2,
        "batch_size": 3,
        "seed": 5,
        "select": "last",
        "channels_last": False,
    }
    out = train(**given, out=tmp_path / "run")
    parser = parser_for(train, "densedepth train")
    parsed = vars(parser.instantiate(parser.parse_args(["--config", str(out / "config.yaml")])))
    for name, value in given.items():
        assert parsed[name] == value, name
    again = train(**{k: v for k, v in parsed.items() if k not in ("config", "out")}, out=tmp_path / "again")
    assert same(weights(again), weights(out))
    assert "python/" not in (out / "config.yaml").read_text()


def test_training_from_the_command_line(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = {"data": asdict(data(frames)), "model": {"encoder": "test_efficientnet", "pretrained": False}, "epochs": 1}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    words = ["train", "--config", str(tmp_path / "recipe.yaml"), "--model.decoder_width", "16", "--batch-size", "2"]
    assert main([*words, "-o", str(tmp_path / "run"), "--max-steps", "2"]) == 0
    assert "6 training and 2 validation frames" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "run")[0].architecture.decoder_width == 16


def test_validation_frames_are_other_scenes(frames: Path) -> None:
    for seed in range(6):
        parts = DepthData(data(frames, split_seed=seed), batch_size=2, seed=0)
        train_scenes, validation_scenes = set(parts.train_frames.scenes), set(parts.validation_frames.scenes)
        assert train_scenes
        assert validation_scenes
        assert not train_scenes & validation_scenes
        assert train_scenes | validation_scenes == set(SCENES)
        loaded = sum(len(batch["image"]) for batch in parts.validation_batches())
        assert loaded == len(parts.validation_frames)


def test_every_frame_once_an_epoch_in_a_drawn_order(frames: Path) -> None:
    plain = AugmentConfig(mirror=0, channel_swap=0)
    parts = DepthData(data(frames, validation_fraction=0, augment=plain), batch_size=4, seed=0)
    dataset = NyuCsv(frames)
    names = {dataset[i].image.tobytes(): i for i in range(len(dataset))}
    orders = []
    for epoch in (0, 1, 0):
        batches = parts.train_batches(epoch)
        orders.append([names[i.permute(1, 2, 0).numpy().tobytes()] for batch in batches for i in batch["image"]])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(8))
    assert orders[0] == orders[2] != orders[1]


def test_batches_are_what_the_loader_promises(frames: Path) -> None:
    parts = DepthData(data(frames), batch_size=3, seed=0)
    batch = next(iter(parts.train_batches(epoch=0)))
    assert {k: (tuple(v.shape), v.dtype) for k, v in batch.items()} == {
        "image": ((3, 3, HEIGHT, WIDTH), torch.uint8),
        "depth_m": ((3, 1, HEIGHT // 2, WIDTH // 2), torch.float32),
        "valid": ((3, 1, HEIGHT // 2, WIDTH // 2), torch.bool),
        "epoch": ((3,), torch.int64),
        "index": ((3,), torch.int64),
    }
    assert torch.equal(batch["valid"], batch["depth_m"] > 0)


def test_frames_in_memory_do_not_depend_on_what_was_drawn_before(tmp_path: Path) -> None:
    """A JPEG is decoded as small as its first view allows; a run that goes on has another first view."""
    rng = np.random.default_rng(0)

    def photo() -> np.ndarray:
        return rng.integers(0, 256, (4 * HEIGHT, 4 * WIDTH, 3), dtype=np.uint8)

    depth = rng.integers(1000, 9000, (4 * HEIGHT, 4 * WIDTH), dtype=np.uint16)
    root = write_nyu_layout(tmp_path, [(f"room_{n:04}", photo(), depth) for n in range(6)])
    for file in root.rglob("*.jpg"):
        Image.open(file).convert("RGB").save(file, format="JPEG")
    zooming = AugmentConfig(zoom_probability=0.7, max_zoom=4.0, rotation_deg=2.0)
    recipe = data(root, in_memory=True, augment=zooming, validation_fraction=0)
    undisturbed, begun = DepthData(recipe, 2, 0), DepthData(recipe, 2, 0)
    for epoch in range(5):
        kept = list(undisturbed.train_batches(epoch))
    for one, other in zip(kept, begun.train_batches(4), strict=True):
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["depth_m"], other["depth_m"])


@pytest.mark.parametrize(("height", "width"), [(64, 96), (64, 64), (32, 96), (128, 192)])
def test_training_camera_sees_whole_frames_unscaled(frames: Path, height: int, width: int) -> None:
    """With canonical_focal a frame that is not zoomed keeps its metres, whatever the network's aspect ratio."""
    depths = [
        next(iter(DepthData(data(frames, height=height, width=width, canonical_focal=c), 2, 0).validation_batches()))
        for c in (False, True)
    ]
    torch.testing.assert_close(depths[1]["depth_m"], depths[0]["depth_m"], rtol=0.02, atol=0)


def test_the_same_seed_gives_the_same_weights(frames: Path, tmp_path: Path) -> None:
    augmented = data(frames, augment=AugmentConfig(zoom_probability=0.5, max_zoom=1.5, colour=0.2))
    one, two, other = (
        weights(run(frames, tmp_path / name, data=augmented, seed=seed))
        for name, seed in zip("abc", (1, 1, 2), strict=True)
    )
    assert same(one, two)
    assert not same(one, other)


@pytest.mark.parametrize(("schedule", "ema_decay"), [("constant", 0.0), ("onecycle", 0.9)])
def test_an_interrupted_run_goes_on(
    schedule: Any, ema_decay: float, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: list[float]
) -> None:
    """Stopped in the third epoch and started again by the same command: as if nothing had happened."""
    same_command: dict[str, Any] = {
        "optim": OptimConfig(lr=1e-3, schedule=schedule, ema_decay=ema_decay),
        "epochs": 4,
        "select": "last",
    }
    whole = run(frames, tmp_path / "whole", **same_command)
    expected = losses[:]
    losses.clear()
    put = LossGuard.put

    def pulled_plug(self: LossGuard, step: int, report: Tensor) -> Any:
        if step == 7:
            raise OSError("the plug was pulled")
        return put(self, step, report)

    with monkeypatch.context() as during:
        during.setattr(LossGuard, "put", pulled_plug)
        with pytest.raises(OSError, match="plug"):
            run(frames, tmp_path / "broken", **same_command)
    assert losses == expected[:8]
    losses.clear()
    broken = run(frames, tmp_path / "broken", **same_command)
    assert losses == expected[6:], "the last whole epoch was the second"
    assert same(weights(broken), weights(whole))
    assert load_checkpoint(broken)[1]["step"] == 12


def test_the_same_command_with_more_epochs_goes_on(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    out = run(frames, tmp_path / "run", epochs=2, select="last")
    assert load_checkpoint(out)[1]["step"] == 6
    run(frames, out, epochs=3, select="last")
    assert len(losses) == 9
    assert load_checkpoint(out)[1]["step"] == 9
    straight = run(frames, tmp_path / "straight", epochs=3, select="last")
    assert losses[9:] == losses[:9]
    assert same(weights(out), weights(straight))


def test_a_onecycle_that_has_ended_cannot_go_on(frames: Path, tmp_path: Path) -> None:
    """Its learning rate has come down to nothing; one line says so, and what to do."""
    onecycle = OptimConfig(lr=1e-3, schedule="onecycle")
    out = run(frames, tmp_path / "run", epochs=1, optim=onecycle)
    before = weights(out)
    with pytest.raises(DenseDepthError, match=r"onecycle schedule of 3 steps.* 6.*--init_from") as caught:
        run(frames, out, epochs=2, optim=onecycle)
    assert "\n" not in str(caught.value)
    assert same(weights(out), before)


def test_a_finished_run_is_left_alone(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    out = run(frames, tmp_path / "run", epochs=2)
    before = weights(out)
    run(frames, out, epochs=2)
    assert len(losses) == 6
    assert same(weights(out), before)


def test_fresh_begins_anew(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    out = run(frames, tmp_path / "run", epochs=2, select="last")
    run(frames, out, epochs=1, select="last", fresh=True)
    assert len(losses) == 9
    assert losses[6:] == losses[:3]
    assert load_checkpoint(out)[1]["step"] == 3


def test_fresh_leaves_no_weights_of_the_run_before(frames: Path, tmp_path: Path) -> None:
    """Even when the new run is too short for a validation."""
    out = run(frames, tmp_path / "run", epochs=1)
    run(frames, out, epochs=1, fresh=True, validate_every=5, model=replace(TINY, decoder_width=16))
    assert load_checkpoint(out)[0].architecture.decoder_width == 16


def test_fresh_leaves_nothing_that_was_made_of_the_run_before(frames: Path, tmp_path: Path) -> None:
    """A bundle, its numbers and its report would speak of weights that are gone; other files are the user's."""
    out = run(frames, tmp_path / "run", epochs=1)
    for name in ("model.onnx", "validation.json", "report/report.html", "bad_batch.json", "notes.txt"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("of the run before")
    run(frames, out, epochs=1, fresh=True)
    names = {path.name for path in out.iterdir()}
    assert names == {"config.yaml", "best", "checkpoints", "metrics.csv", "tensorboard", "notes.txt"}


def test_best_is_the_epoch_with_the_best_validation(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up scores .2, .9, .5: the weights of the second epoch are kept, or the last ones on request."""
    scores = (0.2, 0.9, 0.5)
    monkeypatch.setattr(Session, "validate", lambda self, *_: {"delta1": scores[self.epoch], "rmse": 1.0})
    best = run(frames, tmp_path / "best", epochs=3)
    last = run(frames, tmp_path / "last", epochs=3, select="last")
    assert load_checkpoint(best)[1]["step"] == 6
    assert load_checkpoint(best)[1]["validation"]["val_delta1"] == pytest.approx(0.9)
    assert load_checkpoint(last)[1]["step"] == 9
    second = run(frames, tmp_path / "second", epochs=2, select="last")
    assert same(weights(best), weights(second))
    # Going on remembers what the best was.
    monkeypatch.setattr(Session, "validate", lambda self, *_: {"delta1": 0.7, "rmse": 1.0})
    run(frames, best, epochs=4)
    assert load_checkpoint(best)[1]["step"] == 6


def test_without_validation_the_last_weights_are_kept(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    out = run(frames, tmp_path / "run", data=data(frames, validation_fraction=0), epochs=2)
    assert len(losses) == 8
    _, info = load_checkpoint(out)
    assert (info["step"], info["validation"]) == (8, {})
    assert "8 frames" in info["training_data"]


def test_validation_numbers_by_hand(frames: Path, tmp_path: Path) -> None:
    out = run(frames, tmp_path / "run", epochs=1)
    net, info = load_checkpoint(out)
    parts = DepthData(data(frames), 2, 0)
    rmse = []
    for batch in parts.validation_batches():
        with torch.no_grad():
            depth_m = 10 / net(batch["image"] / 255).clamp(1, 100)
        for p, t, v in zip(depth_m, batch["depth_m"], batch["valid"], strict=True):
            rmse.append(math.sqrt((p[v] - t[v]).square().mean().item()))
    assert len(rmse) == 2
    assert info["validation"]["val_rmse"] == pytest.approx(np.mean(rmse), rel=1e-4)


def test_averaged_weights_are_what_is_saved(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history: list[dict[str, Tensor]] = []
    step = Session.train_step

    def spying(self: Session, batch: dict[str, Tensor], stop: bool) -> Tensor:
        report = step(self, batch, stop)
        history.append({k: v.detach().clone() for k, v in self.module.net.state_dict().items()})
        return report

    monkeypatch.setattr(Session, "train_step", spying)
    out = run(frames, tmp_path / "run", optim=OptimConfig(lr=1e-3, ema_decay=0.6), epochs=2, select="last")
    assert len(history) == 6
    average = {k: v.double() for k, v in history[0].items()}
    for state in history[1:]:
        average = {k: 0.6 * average[k] + 0.4 * v.double() for k, v in state.items()}
    saved = weights(out)
    moved = 0
    for key, value in saved.items():
        if not value.is_floating_point():
            continue
        torch.testing.assert_close(value.double(), average[key], rtol=1e-4, atol=1e-6)
        moved += not torch.allclose(value, history[-1][key], rtol=1e-4, atol=1e-6)
    assert moved > len(saved) / 2, "the average differs from the last weights"


def test_init_from(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(7)
    donor = DenseDepth("test_efficientnet", decoder_width=32)
    save_checkpoint(donor, tmp_path / "donor")
    start: list[dict[str, Tensor]] = []
    monkeypatch.setattr(
        Session,
        "begin_epoch",
        lambda self: start.append({k: v.clone() for k, v in self.module.net.state_dict().items()}),
    )
    out = run(frames, tmp_path / "run", init_from=str(tmp_path / "donor"), max_steps=1)
    assert same(start[0], donor.state_dict())
    assert not same(weights(out), donor.state_dict())


@pytest.mark.parametrize(
    ("change", "switch"),
    [
        ({"decoder_width": 48}, r"model\.decoder_width = 32, the recipe says 48"),
        ({"output": "exp"}, r"model\.output = linear, the recipe says exp"),
        ({"encoder": "lcnet_035"}, r"model\.encoder = test_efficientnet, the recipe says lcnet_035"),
        ({"align_corners": True}, r"model\.align_corners = False, the recipe says True"),
    ],
)
def test_init_from_another_network_names_the_switch(
    change: dict[str, Any], switch: str, frames: Path, tmp_path: Path
) -> None:
    save_checkpoint(DenseDepth("test_efficientnet", decoder_width=32), tmp_path / "donor")
    with pytest.raises(DenseDepthError, match=switch) as caught:
        run(frames, tmp_path / "run", model=replace(TINY, **change), init_from=str(tmp_path / "donor"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.height", "100"], "32"),
        (["--data.width", "90"], "32"),
        (["--model.decoder_width", "20"], "multiple of 16"),
        (["--data.validation_fraction", "1.5"], "validation fraction must be in [0, 1)"),
        (["--data.root", "/nowhere"], "/nowhere"),
        (["--model.encoder", "test_efficientnett"], "near: test_efficientnet"),
        (["--batch_size", "7"], "6 training frames are fewer than one batch of 7"),
        (["--loss.name", "log"], "--loss.name log takes logarithms: set --model.output exp"),
        (["--loss.name", "silog"], "--loss.name silog takes logarithms: set --model.output exp"),
    ],
)
def test_wrong_recipes_are_one_line(
    words: list[str], message: str, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"data": asdict(data(frames)), "model": asdict(TINY), "batch_size": 2, "max_steps": 1}
    recipe["model"] = {**asdict(TINY), "depth_range_m": [0.1, 10.0]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    status = main(["train", "--config", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run"), *words])
    assert status == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]


def test_log_loss_needs_a_positive_output() -> None:
    linear, exp = DenseDepth("test_efficientnet"), DenseDepth("test_efficientnet", output="exp")
    with pytest.raises(DenseDepthError, match=r"--model\.output exp"):
        build_loss(LossConfig("log"), linear)
    log = build_loss(LossConfig("log", gradient_weight=0.3), exp)
    assert isinstance(log, LogDepthLoss)
    assert (log.gradient_weight, log.scale_free) == (0.3, None)
    silog = build_loss(LossConfig("silog"), exp)
    assert isinstance(silog, LogDepthLoss)
    assert (silog.gradient_weight, silog.scale_free) == (0.5, 0.85)
    for net, dynamic_range in ((linear, 100), (exp, 100)):
        paper = build_loss(LossConfig(), net)
        assert isinstance(paper, DepthLoss)
        assert paper.dynamic_range == pytest.approx(dynamic_range)
    kitti = DenseDepth("test_efficientnet", reciprocal_m=80.0, depth_range_m=(1.0, 80.0))
    assert build_loss(LossConfig(), kitti).dynamic_range == pytest.approx(80)


def test_a_validation_frame_with_depth_on_its_border_alone(tmp_path: Path) -> None:
    """The border is masked, so that frame has no pixel to validate on; the run must not end there."""
    photo = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    whole = np.full((HEIGHT, WIDTH), 3000, np.uint16)
    border = whole.copy()
    border[2:-2, 2:-2] = 0
    scenes = [f"room_{n:04}" for n in range(8)]
    for holed in range(8):
        depths = [border if n == holed else whole for n in range(8)]
        root = write_nyu_layout(tmp_path / str(holed), [(s, photo, d) for s, d in zip(scenes, depths, strict=True)])
        recipe = DataConfig(
            str(root), height=HEIGHT, width=WIDTH, validation_fraction=0.25, options={"mask_border": True}
        )
        if scenes[holed] in DepthData(recipe, 2, 0).validation_frames.scenes:
            break
    out = run(root, tmp_path / "run", data=recipe)
    assert "val_delta1" in load_checkpoint(out)[1]["validation"]


def test_encoder_learns_at_its_own_rate() -> None:
    net = DenseDepth("test_efficientnet", decoder_width=32)
    optim = OptimConfig("adamw", lr=1e-3, encoder_lr_factor=0.1, weight_decay=0.05)
    optimizer = build_optimizer(optim, net.encoder, net.decoder)
    owners = {id(p): (name.split(".")[0], p.ndim) for name, p in net.named_parameters()}
    seen: list[int] = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            part, dimensions = owners[id(parameter)]
            assert group["lr"] == pytest.approx(1e-4 if part == "encoder" else 1e-3)
            assert group["weight_decay"] == (0.05 if dimensions > 1 else 0)
            seen.append(id(parameter))
    assert sorted(seen) == sorted(owners), "each parameter once"


def test_further_data_sets_are_gone_through_evenly(frames: Path, tmp_path: Path) -> None:
    more = write_frames(tmp_path / "more", ["cellar_0001"] * 5)
    also = [AlsoConfig(str(more), per_epoch=3)]
    parts = DepthData(data(frames, also=also), batch_size=3, seed=0)
    ours, theirs = len(parts.train_frames), range(len(parts.train_frames), len(parts.train_frames) + 5)
    assert parts.steps_per_epoch == (ours + 3) // 3
    drawn = [[i for b in range(parts.order.batches) for i in parts.order.indices(epoch, b)] for epoch in range(5)]
    for epoch in drawn:
        mine = [i for i in epoch if i not in theirs]
        assert len(epoch) == parts.steps_per_epoch * 3
        assert len(set(mine)) == len(mine) >= ours - (ours + 3) % 3
        assert sum(i in theirs for i in epoch) <= 3
    # Five epochs draw 15 frames: each of the five three times, less what did not fill a last batch.
    counts = [sum(epoch.count(i) for epoch in drawn) for i in theirs]
    assert max(counts) == 3
    assert drawn == [[i for b in range(parts.order.batches) for i in parts.order.indices(e, b)] for e in range(5)]
    assert set(parts.validation_frames.scenes) <= set(SCENES)
    names = [name for b in range(parts.steps_per_epoch) for name in parts.names(0, b)]
    assert any("cellar" in name for name in names)
    batch = next(iter(parts.train_batches(0)))
    assert batch["image"].shape[0] == 3


def test_training_with_a_further_data_set(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    more = write_frames(tmp_path / "more", ["cellar_0001"] * 4)
    config = data(frames, also=[AlsoConfig(str(more), per_epoch=4)], in_memory=True)
    out = run(frames, tmp_path / "run", data=config, epochs=2)
    assert len(losses) == 2 * 5  # 6 of the 8 frames and 4 more, two at a time
    assert "nyu more: 4 frames" in load_checkpoint(out)[1]["training_data"]
    with pytest.raises(DenseDepthError, match=r"data\.also"):
        run(frames, tmp_path / "run", data=data(frames, also=[AlsoConfig(str(more), per_epoch=2)]), epochs=3)
    with pytest.raises(DenseDepthError, match="per_epoch at least 1"):
        run(frames, tmp_path / "other", data=data(frames, also=[AlsoConfig(str(more), per_epoch=0)]))


def test_half_precision_on_a_cpu_learns_the_same(frames: Path, tmp_path: Path, losses: list[float]) -> None:
    run(frames, tmp_path / "full", epochs=2, channels_last=True)
    run(frames, tmp_path / "half", epochs=2, channels_last=True, precision="bf16-mixed")
    full, half = losses[:6], losses[6:]
    assert half == pytest.approx(full, rel=0.05)
    assert half != full
    assert load_checkpoint(tmp_path / "half")[0].architecture == load_checkpoint(tmp_path / "full")[0].architecture
