"""The second answer of a network: how far off the first is likely to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from densedepth.models import DenseDepth, load_checkpoint, save_checkpoint  # noqa: E402
from densedepth.training.config import LossConfig, ModelConfig  # noqa: E402
from densedepth.training.module import DepthModule, expected_error_loss  # noqa: E402
from densedepth.training.start import first_network  # noqa: E402

MODEL = ModelConfig(encoder="test_efficientnet", decoder_width=32, output="exp", pretrained=False)


def pair(uncertainty: bool) -> DenseDepth:
    torch.manual_seed(0)
    return DenseDepth("test_efficientnet", decoder_width=32, output="exp", uncertainty=uncertainty)


def test_the_depth_is_what_it_is_without(tmp_path: Path) -> None:
    plain, both = pair(False).eval(), pair(True).eval()
    both.load_state_dict(plain.state_dict(), strict=False)
    image = torch.rand(2, 3, 50, 70)
    torch.testing.assert_close(both(image), plain(image))
    torch.testing.assert_close(both.depth_m(image), plain.depth_m(image))
    metres = both.depth_and_uncertainty_m(image)
    assert metres.shape == (2, 2, 50, 70)
    assert bool(((metres[:, 1] > 0) & (metres[:, 1] <= metres[:, 0] * 1.001)).all())
    loaded, _ = load_checkpoint(save_checkpoint(both, tmp_path / "checkpoint"))
    torch.testing.assert_close(loaded.depth_and_uncertainty_m(image), metres)


@pytest.mark.parametrize("loss", ["paper", "log"])
def test_gradients_of_the_depth_are_what_they_are_without(loss: str) -> None:
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    truth_m = 1 + 5 * torch.rand(2, 1, 32, 32)
    batch = {"depth_m": truth_m, "valid": truth_m > 2}
    gradients = []
    for uncertainty in (False, True):
        net = pair(uncertainty)
        net.load_state_dict(pair(False).state_dict(), strict=False)
        module = DepthModule(net, LossConfig(loss)).train()  # type: ignore[arg-type]
        torch.autograd.backward(module.loss(module(image), batch))
        gradients.append({name: value.grad for name, value in net.named_parameters()})
    plain, both = gradients
    for name, gradient in plain.items():
        torch.testing.assert_close(both[name], gradient)
    head = [gradient for name, gradient in both.items() if name not in plain]
    assert len(head) == 4
    assert all(gradient is not None and bool(gradient.abs().max() > 0) for gradient in head)


def test_the_loss_is_least_at_the_mean_error() -> None:
    torch.manual_seed(0)
    truth_m = torch.full((1, 1, 40, 40), 2.0)
    predicted_m = truth_m * torch.randn(1, 1, 40, 40).mul(0.2).exp()
    valid = torch.rand(1, 1, 40, 40) < 0.7
    mean = (predicted_m / truth_m).log().abs()[valid].mean()
    batch = {"depth_m": torch.where(valid, truth_m, torch.nan), "valid": valid}
    tried = torch.linspace(-4, 0, 401)
    losses = [expected_error_loss(predicted_m, torch.full_like(truth_m, s), batch).item() for s in tried.tolist()]
    best = tried[int(torch.tensor(losses).argmin())].exp()
    assert abs(best / mean - 1) < 0.02
    small = (slice(None), slice(None), slice(0, 6), slice(0, 6))
    log_error = torch.zeros(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    batch = {"depth_m": batch["depth_m"][small].double(), "valid": valid[small]}
    assert torch.autograd.gradcheck(lambda s: expected_error_loss(predicted_m[small].double(), s, batch), log_error)


@pytest.mark.parametrize("before", [False, True])
def test_weights_made_without_it_are_taken_up_with_it_and_the_other_way_round(before: bool, tmp_path: Path) -> None:
    theirs = pair(before)
    save_checkpoint(theirs, tmp_path / "theirs")
    _, net = first_network(replace(MODEL, uncertainty=not before), str(tmp_path / "theirs"), None)
    own = net.state_dict()
    for name, value in theirs.state_dict().items():
        assert name.startswith("decoder.uncertainty.") or torch.equal(own[name], value), name


def test_a_checkpoint_cannot_ask_for_weights_of_a_hub() -> None:
    switches = {**pair(False).architecture.to_dict(), "pretrained": True}
    with pytest.raises(TypeError, match="pretrained"):
        DenseDepth.from_architecture(switches)
