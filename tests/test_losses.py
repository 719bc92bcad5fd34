"""The losses against numbers worked out by hand and against other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_msssim import ssim as their_ssim
from torch import Tensor, nn

from densedepth.losses import DepthLoss, LogDepthLoss, ssim


def maps(shape: tuple[int, ...] = (3, 1, 17, 20), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two similar maps of reciprocal depth, 1..100, float64."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(1, 100, shape)
    prediction = (target * rng.uniform(0.7, 1.4, shape)).clip(1, 100)
    return torch.from_numpy(prediction), torch.from_numpy(target)


def some_valid(shape: tuple[int, ...] = (3, 1, 17, 20), share: float = 0.7) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).random(shape) < share)


def edges_by_hand(p: NDArray[np.float64], t: NDArray[np.float64]) -> float:
    total = np.zeros_like(p)
    total[..., :-1, :] += np.abs((p[..., 1:, :] - p[..., :-1, :]) - (t[..., 1:, :] - t[..., :-1, :]))
    total[..., :-1] += np.abs((p[..., 1:] - p[..., :-1]) - (t[..., 1:] - t[..., :-1]))
    return float(total.mean())


def test_terms_agree_with_other_implementations() -> None:
    p, t = maps()
    terms = DepthLoss(100).terms(p, t)
    expected_ssim = their_ssim(p, t, data_range=100, size_average=False)
    torch.testing.assert_close(terms["ssim"], expected_ssim, rtol=1e-6, atol=0)
    assert 0.1 < float(expected_ssim.min()) < float(expected_ssim.max()) < 0.99
    assert float(terms["depth"]) == pytest.approx(np.abs(p.numpy() - t.numpy()).mean(), rel=1e-12)
    assert float(terms["edges"]) == pytest.approx(edges_by_hand(p.numpy(), t.numpy()), rel=1e-12)
    expected = ((1 - expected_ssim) / 2).mean() + terms["edges"] + 0.1 * terms["depth"]
    torch.testing.assert_close(DepthLoss(100)(p, t), expected, rtol=1e-6, atol=0)


def test_default_is_the_loss_for_nyu() -> None:
    # Constant maps of 10 and 20: SSIM is its luminance, (2*10*20 + c1) / (10^2 + 20^2 + c1), c1 = (.01*100)^2 = 1.
    p, t = torch.full((1, 1, 12, 12), 10.0), torch.full((1, 1, 12, 12), 20.0)
    assert float(DepthLoss()(p, t)) == pytest.approx((1 - 401 / 501) / 2 + 0.1 * 10, rel=1e-5)
    # KITTI's range of 80: c1 = .64.
    assert float(DepthLoss(80)(p, t)) == pytest.approx((1 - 400.64 / 500.64) / 2 + 1, rel=1e-5)


def test_weights_weigh_their_own_term() -> None:
    p, t = maps()
    terms = DepthLoss().terms(p, t)
    only = [
        DepthLoss(ssim_weight=a, edge_weight=b, depth_weight=c)(p, t) for a, b, c in [(2, 0, 0), (0, 3, 0), (0, 0, 5)]
    ]
    torch.testing.assert_close(
        torch.stack(only), torch.stack([(1 - terms["ssim"]).mean(), 3 * terms["edges"], 5 * terms["depth"]])
    )


@pytest.mark.parametrize(
    ("row", "column", "differences"),
    # A pixel 2 too high changes the difference to it and the one from it, in y and in x, as far as they exist.
    [(5, 5, 4), (0, 0, 2), (10, 11, 2), (10, 5, 3), (5, 11, 3)],
)
def test_one_wrong_pixel_by_hand(row: int, column: int, differences: int) -> None:
    t = torch.full((1, 1, 11, 12), 50.0)
    p = t.clone()
    p[..., row, column] += 2
    terms = DepthLoss().terms(p, t)
    assert float(terms["depth"]) == pytest.approx(2 / 132)
    assert float(terms["edges"]) == pytest.approx(2 * differences / 132)


def test_last_row_and_column_are_zero_and_counted() -> None:
    # A ramp of 3 per column: 11 of 12 columns have a difference, 12 of 12 count. Likewise for rows.
    ramp = 3 * torch.arange(12.0).expand(1, 1, 11, 12)
    assert float(DepthLoss().terms(ramp, torch.zeros_like(ramp))["edges"]) == pytest.approx(3 * 11 / 12)
    ramp = ramp.transpose(2, 3).contiguous()
    assert float(DepthLoss().terms(ramp, torch.zeros_like(ramp))["edges"]) == pytest.approx(3 * 11 / 12)


def test_edge_term_sees_slope_and_not_offset() -> None:
    _, t = maps()
    assert float(DepthLoss().terms(t + 7, t)["edges"]) == pytest.approx(0, abs=1e-12)
    ramp = torch.arange(20.0).expand(1, 1, 11, 20).clone().requires_grad_()
    edges = DepthLoss().terms(ramp, torch.zeros(1, 1, 11, 20))["edges"]
    (slope,) = torch.autograd.grad(edges, ramp)
    # Raising a pixel inside costs on one side what it saves on the other: only the ends can lower a slope.
    expected = np.zeros((1, 1, 11, 20))
    expected[..., -1], expected[..., 0] = 1 / 220, -1 / 220
    np.testing.assert_allclose(slope.numpy(), expected, rtol=1e-6)


each_loss = pytest.mark.parametrize(
    "loss", [DepthLoss(), LogDepthLoss(), LogDepthLoss(scale_free=0.85)], ids=["paper", "log", "silog"]
)


def log_depth(p: Tensor, t: Tensor, valid: Tensor | None = None) -> Tensor:
    result: Tensor = LogDepthLoss()(p, t, valid)
    return result


@each_loss
@pytest.mark.parametrize("masked", [False, True])
def test_gradients(loss: nn.Module, masked: bool) -> None:
    shape = (2, 1, 12, 13)
    p, t = maps(shape)
    valid = some_valid(shape) if masked else None
    assert torch.autograd.gradcheck(lambda x: loss(x, t, valid), (p.requires_grad_(),))


@each_loss
def test_all_valid_is_the_dense_loss(loss: nn.Module) -> None:
    p, t = maps()
    everywhere = torch.ones_like(p, dtype=torch.bool)
    torch.testing.assert_close(loss(p, t, everywhere), loss(p, t), rtol=1e-12, atol=0)


@each_loss
@pytest.mark.parametrize("rubbish", [0.0, -3.0, 1e30, math.inf, math.nan])
def test_invalid_pixels_contribute_nothing(loss: nn.Module, rubbish: float) -> None:
    p, t = maps()
    valid = some_valid()
    clean = p.clone().requires_grad_()
    expected = loss(clean, t, valid)
    expected.backward()
    dirty = torch.where(valid, p, rubbish).requires_grad_()
    value = loss(dirty, torch.where(valid, t, rubbish), valid)
    value.backward()
    assert clean.grad is not None
    assert dirty.grad is not None
    assert torch.equal(value, expected)
    torch.testing.assert_close(dirty.grad, clean.grad, rtol=0, atol=0)
    assert not dirty.grad[~valid].any()
    assert dirty.grad[valid].any()


def test_masked_terms_by_a_second_implementation() -> None:
    p, t = maps((2, 1, 13, 14))
    valid = some_valid((2, 1, 13, 14), 0.6)
    terms = DepthLoss().terms(p, t, valid)
    keep = valid.numpy()
    assert float(terms["depth"]) == pytest.approx(np.abs(p.numpy() - t.numpy())[keep].mean())
    difference = np.where(keep, p.numpy() - t.numpy(), np.nan)
    sums = np.nansum(np.abs(np.diff(difference, axis=2))) + np.nansum(np.abs(np.diff(difference, axis=3)))
    assert float(terms["edges"]) == pytest.approx(sums / keep.sum())
    for image in range(2):
        expected = masked_ssim_by_hand(p[image, 0].numpy(), t[image, 0].numpy(), keep[image, 0])
        assert float(terms["ssim"][image]) == pytest.approx(expected, rel=1e-9)


def masked_ssim_by_hand(x: NDArray[np.float64], y: NDArray[np.float64], keep: NDArray[np.bool_]) -> float:
    """Window by window, with weighted means and variances around them."""
    offset = np.arange(-5, 6)
    gauss = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    gauss /= gauss.sum()
    values, weights = [], []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            window = np.s_[top : top + 11, left : left + 11]
            weight = gauss * keep[window]
            coverage = weight.sum()
            weight = weight / coverage
            a, b = x[window], y[window]
            mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
            var_a, var_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
            covariance = (weight * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + 1) / (mean_a**2 + mean_b**2 + 1)
            values.append(luminance * (2 * covariance + 9) / (var_a + var_b + 9))
            weights.append(coverage)
    return float(np.average(values, weights=weights))


def test_a_single_valid_pixel_by_hand() -> None:
    valid = torch.zeros(1, 1, 11, 11, dtype=torch.bool)
    valid[..., 5, 5] = True
    terms = DepthLoss().terms(torch.full(valid.shape, 10.0), torch.full(valid.shape, 20.0), valid)
    assert float(terms["depth"]) == 10
    assert float(terms["edges"]) == 0
    assert float(terms["ssim"]) == pytest.approx(401 / 501, rel=1e-4)


@each_loss
@pytest.mark.parametrize("corner", [(0, 0), (10, 12)])
def test_a_single_valid_pixel_at_the_corner_is_finite(loss: nn.Module, corner: tuple[int, int]) -> None:
    """The corner's window weight is the smallest there is, 1e-6, in float32."""
    valid = torch.zeros(1, 1, 11, 13, dtype=torch.bool)
    valid[..., corner[0], corner[1]] = True
    p = torch.full(valid.shape, 100.0, requires_grad=True)
    value = loss(p, torch.full(valid.shape, 1.0), valid)
    value.backward()
    assert p.grad is not None
    assert torch.isfinite(value)
    assert torch.isfinite(p.grad).all()


@each_loss
def test_a_fully_invalid_image_does_not_pull(loss: nn.Module) -> None:
    p, t = maps((2, 1, 12, 12))
    valid = torch.ones_like(p, dtype=torch.bool)
    valid[1] = False
    t[1] = math.inf
    p.requires_grad_()
    value = loss(p, t, valid)
    value.backward()
    assert p.grad is not None
    assert torch.isfinite(value)
    assert p.grad[0].any()
    assert not p.grad[1].any()
    q = p.detach().clone().requires_grad_()
    nothing = loss(q, t, torch.zeros_like(valid))
    nothing.backward()
    assert q.grad is not None
    assert nothing.item() == 0
    assert not q.grad.any()


def test_log_loss_by_hand() -> None:
    t = maps((1, 1, 8, 8))[1]
    # The same ratio everywhere: its logarithm, and no gradient.
    assert float(log_depth(t * 3, t)) == pytest.approx(math.log(3))
    assert float(log_depth(t / 3, t)) == pytest.approx(math.log(3))
    # Log difference of .1 per column: mean .35. Gradients at steps 1, 2, 4, 8: .1*7/8, .2*3/4, .4*1/2, 0.
    ramp = t * torch.exp(0.1 * torch.arange(8, dtype=t.dtype))
    assert float(log_depth(ramp, t)) == pytest.approx(0.35 + 0.5 * (0.0875 + 0.15 + 0.2 + 0) / 4)
    assert float(LogDepthLoss(gradient_weight=0)(ramp, t)) == pytest.approx(0.35)
    assert float(LogDepthLoss(gradient_weight=1, scales=1)(ramp, t)) == pytest.approx(0.35 + 0.0875)
    # Without the last column: mean .3; gradients over the valid: .1*6/7, .2*3/4, .4*1/2, 0.
    valid = torch.ones_like(t, dtype=torch.bool)
    valid[..., 7] = False
    expected = 0.3 + 0.5 * (0.1 * 6 / 7 + 0.15 + 0.2) / 4
    assert float(log_depth(ramp, t, valid)) == pytest.approx(expected)


def test_silog_by_hand() -> None:
    t = maps((2, 1, 8, 8))[1]
    flat = {share: LogDepthLoss(gradient_weight=0, scale_free=share) for share in (0.0, 0.5, 1.0)}
    # A wrong scale of each image: forgiven in part, or whole.
    scaled = t * torch.tensor([3.0, 1 / 9]).view(2, 1, 1, 1)
    assert float(flat[0.0](scaled, t)) == pytest.approx(1.5 * math.log(3))
    assert float(flat[0.5](scaled, t)) == pytest.approx(1.5 * math.log(3) * math.sqrt(0.5))
    assert float(flat[1.0](scaled, t)) == 0
    # Log difference 0, .1, ... .7 over the columns: mean square .175, mean .35; without the last .13 and .3.
    ramp = t * torch.exp(0.1 * torch.arange(8, dtype=t.dtype))
    valid = torch.ones_like(t, dtype=torch.bool)
    for share, loss in flat.items():
        valid[..., 7] = True
        assert float(loss(ramp, t, valid)) == pytest.approx(math.sqrt(0.175 - share * 0.35**2))
        valid[..., 7] = False
        assert float(loss(ramp, t, valid)) == pytest.approx(math.sqrt(0.13 - share * 0.3**2))
    # The gradient term is that of the other log loss.
    assert float(LogDepthLoss(1, 1, scale_free=1.0)(ramp, t)) == pytest.approx(math.sqrt(0.175 - 0.35**2) + 0.0875)


def test_ssim_of_equal_maps_is_one() -> None:
    p, _ = maps()
    torch.testing.assert_close(ssim(p, p, 100.0), torch.ones(3, dtype=p.dtype))


@each_loss
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 1, 12, 12), (2, 1, 12, 13)],
        [(2, 1, 12, 12), (1, 1, 12, 12)],
        [(2, 3, 12, 12), (2, 3, 12, 12)],
        [(2, 12, 12), (2, 12, 12)],
        [(2, 1, 12, 12), (2, 1, 12, 12), (2, 12, 12)],
    ],
)
def test_shapes_that_would_broadcast_are_refused(loss: nn.Module, shapes: list[tuple[int, ...]]) -> None:
    prediction, target, *rest = (torch.ones(shape) for shape in shapes)
    with pytest.raises(ValueError, match=r"share one shape \(N, 1, H, W\)"):
        loss(prediction, target, *(mask.bool() for mask in rest))
