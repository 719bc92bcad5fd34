"""Golden numbers of the authors' program (TensorFlow/Keras 2.15, random weights): network, loss and training.

The full set lies outside the repository; three cases of the loss are in tests/data, so that something runs everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from densedepth.errors import DenseDepthError
from densedepth.losses import DepthLoss
from densedepth.models import DenseDepth, import_keras
from densedepth.training.config import OptimConfig
from densedepth.training.optim import KerasAdam, build_optimizer

Arrays = Mapping[str, NDArray[np.float32]]

CASES = ("smooth_noise", "unrelated", "random", "identical", "negative_pred", "constant", "min_size", "mid")
COMMITTED = ("min_size", "constant", "unrelated")

#: Keras name -> ours, for what train_tiny.npz records.
NAMES = {
    "conv1/conv/kernel": "encoder.body.conv0.weight",
    "conv1/bn/moving_mean": "encoder.body.norm0.running_mean",
    "conv1/bn/moving_variance": "encoder.body.norm0.running_var",
    "conv2_block1_0_bn/gamma": "encoder.body.denseblock1.denselayer1.norm1.weight",
    "bn/gamma": "encoder.body.norm5.weight",
    "bn/moving_mean": "encoder.body.norm5.running_mean",
    "bn/moving_variance": "encoder.body.norm5.running_var",
    "conv2/bias": "decoder.conv2.bias",
    "up1_convA/bias": "decoder.up1.convA.bias",
    "up4_convB/bias": "decoder.up4.convB.bias",
    "conv3/kernel": "decoder.conv3.weight",
    "conv3/bias": "decoder.conv3.bias",
}


@pytest.fixture(scope="session")
def all_loss_cases(parity: Path) -> Arrays:
    return dict(np.load(parity / "loss.npz"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # The order of summation, and with it the last digits, must not depend on the machine.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def nchw(values: NDArray[np.generic], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2))).to(dtype)


def nhwc(values: Tensor) -> NDArray[np.float64]:
    return values.detach().permute(0, 2, 3, 1).double().numpy()


def as_keras(values: Tensor) -> NDArray[np.float64]:
    values = values.detach().double()
    return (values.permute(2, 3, 1, 0) if values.ndim == 4 else values).numpy()


def worst(ours: NDArray[np.float64], theirs: NDArray[np.float32]) -> float:
    """Largest absolute difference; a wrong shape must not broadcast."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max())


# The network


@pytest.mark.parametrize("size", ["small", "big"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("inner_activation", [False, True])
def test_forward(parity: Path, inner_activation: bool, align_corners: bool, size: str) -> None:
    golden = np.load(parity / "model_tiny.npz")
    imported = import_keras(parity / "tiny_random.h5")
    switches = {"inner_activation": inner_activation, "align_corners": align_corners}
    net = DenseDepth.from_architecture({**imported.architecture.to_dict(), **switches}).eval()
    net.load_state_dict(imported.state_dict())
    with torch.no_grad():
        ours = nhwc(net(nchw(golden[f"x_{size}_u8"]) / 255))
    assert worst(ours, golden[f"{size}_leakyA{inner_activation:d}_align{align_corners:d}"]) < 1e-4


def test_the_four_settings_are_told_apart(parity: Path) -> None:
    golden = np.load(parity / "model_tiny.npz")
    outputs = [golden[f"small_leakyA{a}_align{c}"] for a in (0, 1) for c in (0, 1)]
    closest = min(np.abs(p - q).max() for i, p in enumerate(outputs) for q in outputs[:i])
    assert closest > 1e-2  # a hundred times the tolerance above


# The loss


def check_loss(golden: Arrays, case: str, *, masked: bool) -> None:
    target, prediction = nchw(golden[f"{case}/y_true"]), nchw(golden[f"{case}/y_pred"])
    prediction.requires_grad_()
    loss, valid = DepthLoss(100), torch.ones_like(target, dtype=torch.bool) if masked else None

    per_image = loss.per_image(prediction, target, valid)
    terms = loss.terms(prediction, target, valid)
    for name, ours, atol in (
        ("loss_per_sample", per_image, 0),
        ("loss_mean", per_image.mean(), 0),
        ("ssim", terms["ssim"], 1e-6),  # of -1..1, and near 0 a difference of large numbers
        ("l_depth", terms["depth"], 0),
        ("l_edges", terms["edges"], 0),
    ):
        np.testing.assert_allclose(ours.detach().numpy(), golden[f"{case}/{name}"], rtol=1e-5, atol=atol, err_msg=name)
    (gradient,) = torch.autograd.grad(loss(prediction, target, valid), prediction)
    assert worst(nhwc(gradient), golden[f"{case}/grad_pred"]) < 1e-7


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_loss(all_loss_cases: Arrays, case: str, masked: bool) -> None:
    check_loss(all_loss_cases, case, masked=masked)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", COMMITTED)
def test_loss_on_committed_cases(case: str, masked: bool) -> None:
    check_loss(dict(np.load(Path(__file__).parent / "data" / "parity_loss.npz")), case, masked=masked)


def test_all_loss_cases_are_tested(all_loss_cases: Arrays) -> None:
    assert {key.partition("/")[0] for key in all_loss_cases} == set(CASES)


# Training


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_five_training_steps(parity: Path, dtype: torch.dtype) -> None:
    golden = np.load(parity / "train_tiny.npz")
    net = import_keras(parity / "tiny_random.h5").to(dtype).train()
    loss, optimizer = DepthLoss(100), KerasAdam(net.parameters(), lr=1e-4)
    losses = []
    for step in range(5):
        prediction = net(nchw(golden[f"x{step}_u8"], dtype) / 255)
        target = nchw(golden[f"y{step}"], dtype)
        value = loss(prediction, target)
        optimizer.zero_grad()
        value.backward()
        if step == 0:
            assert worst(nhwc(prediction), golden["train_mode_pred0"]) < 1e-5
            per_image = loss.per_image(prediction.detach(), target)
            np.testing.assert_allclose(per_image.numpy(), golden["loss0_per_sample"], rtol=1e-5)
            check_gradients(net, golden)
        optimizer.step()
        losses.append(value.item())

    np.testing.assert_allclose(losses, golden["losses"], rtol=0, atol=1e-5)
    state = net.state_dict()
    after = {key: golden[key] for key in golden if key.startswith("after5/")}
    assert len(after) == 8
    for key, theirs in after.items():
        assert worst(as_keras(state[NAMES[key.removeprefix("after5/")]]), theirs) < 1e-5, key
    with torch.no_grad():
        ours = nhwc(net.eval()(nchw(golden["x0_u8"], dtype) / 255))
    # Outputs are around 12, where float32 itself steps by 1e-6: there the bound is relative.
    scale = np.abs(golden["eval_pred_after5"]).max() if dtype == torch.float32 else 1
    assert worst(ours, golden["eval_pred_after5"]) < 1e-5 * scale


def check_gradients(net: DenseDepth, golden: Arrays) -> None:
    """Within 1e-5 of the largest entry of each."""
    parameters = dict(net.named_parameters())
    recorded = [key for key in golden if key.startswith("grad/")]
    assert len(recorded) == 7
    for key in recorded:
        gradient = parameters[NAMES[key.removeprefix("grad/")]].grad
        assert gradient is not None
        theirs = golden[key]
        assert worst(as_keras(gradient), theirs) < 3e-5 * np.abs(theirs).max(), key


def test_torch_adam_is_not_enough(parity: Path) -> None:
    # Why keras_epsilon exists: with torch's placement the weights part by 1e-4, all that five steps can move them.
    golden = np.load(parity / "train_tiny.npz")
    net = import_keras(parity / "tiny_random.h5").train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, amsgrad=True)
    for step in range(5):
        optimizer.zero_grad()
        DepthLoss(100)(net(nchw(golden[f"x{step}_u8"]) / 255), nchw(golden[f"y{step}"])).backward()
        optimizer.step()
    ours = as_keras(net.state_dict()[NAMES["conv1/conv/kernel"]])
    assert worst(ours, golden["after5/conv1/conv/kernel"]) > 5e-5


def test_keras_adam_against_the_formula() -> None:
    gradients = np.random.default_rng(0).normal(size=(20, 6)) * [1, 1e-2, 1e-4, 1e-6, 1e-8, 0]
    ours = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimizer = KerasAdam([ours], lr=0.01)
    theirs, m, v, v_max = np.zeros((4, 6))
    for t, gradient in enumerate(gradients, start=1):
        ours.grad = torch.from_numpy(gradient)
        if t == 10:  # a restart in between
            saved = optimizer.state_dict()
            optimizer = KerasAdam([ours], lr=0.01)
            optimizer.load_state_dict(saved)
        optimizer.step()
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        v_max = np.maximum(v_max, v)
        theirs = theirs - 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v_max) + 1e-7)
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-9)


def test_recipes_choose_the_optimiser() -> None:
    net = torch.nn.ModuleDict({"encoder": torch.nn.Conv2d(3, 4, 1), "decoder": torch.nn.Conv2d(4, 1, 1)})
    encoder, decoder = net["encoder"], net["decoder"]
    keras = build_optimizer(OptimConfig(keras_epsilon=True, lr=1e-3, encoder_lr_factor=0.1), encoder, decoder)
    assert isinstance(keras, KerasAdam)
    assert [group["lr"] for group in keras.param_groups] == pytest.approx([1e-4, 1e-4, 1e-3, 1e-3])
    plain = build_optimizer(OptimConfig(), encoder, decoder)
    assert type(plain) is torch.optim.Adam
    assert plain.param_groups[0]["amsgrad"]
    with pytest.raises(DenseDepthError, match=r"--optim\.name adam"):
        build_optimizer(OptimConfig(name="adamw", keras_epsilon=True), encoder, decoder)
