"""The quick depthwise convolutions give the numbers of the plain ones."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from densedepth.models.depthwise import QuickDepthwiseConv2d, _Depthwise, quicken_depthwise, suits  # noqa: E402
from densedepth.models.encoders import StaticSameConv2d, build_encoder  # noqa: E402


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(21, 24), (20, 25)])
def test_gradients_are_those_of_conv2d(size: int, stride: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, *shape, requires_grad=True)
    weight = torch.randn(8, 1, size, size, requires_grad=True)
    plain = torch.nn.functional.conv2d(x, weight, stride=stride, groups=8)
    quick = _Depthwise.apply(x, weight, stride)
    gradient = torch.randn_like(plain)
    torch.testing.assert_close(quick, plain)
    expected = torch.autograd.grad(plain, (x, weight), gradient)
    for got, want in zip(torch.autograd.grad(quick, (x, weight), gradient), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("same", [False, True])
def test_under_autocast_it_learns_what_the_plain_one_learns(same: bool) -> None:
    torch.manual_seed(0)
    plain: nn.Conv2d = nn.Conv2d(8, 8, 5, stride=2, padding=0 if same else 2, groups=8, bias=False)
    if same:
        plain = StaticSameConv2d(plain)
    quick = QuickDepthwiseConv2d(plain)
    x = torch.randn(2, 8, 32, 32)
    expected = plain(x)
    (expected.square().sum()).backward()
    assert plain.weight.grad is not None
    want, plain.weight.grad = plain.weight.grad, None
    with torch.autocast("cpu", torch.bfloat16):
        got = quick(x)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, rtol=0.05, atol=0.05)
    got.float().square().sum().backward()
    assert quick.weight.grad is not None
    torch.testing.assert_close(quick.weight.grad, want, rtol=0.05, atol=0.02 * float(want.abs().max()))
    # Outside training it is the plain one, in float32.
    quick.eval()
    torch.testing.assert_close(quick(x), expected)


def test_an_encoder_keeps_its_names_weights_and_answers() -> None:
    torch.manual_seed(0)
    encoder = build_encoder("tf_efficientnet_lite0", pretrained=False).eval()
    x = torch.rand(1, 3, 64, 64)
    before, names = encoder(x), list(encoder.state_dict())
    assert any(suits(module) for module in encoder.modules())
    quicken_depthwise(encoder)
    assert not any(suits(module) for module in encoder.modules())
    assert list(encoder.state_dict()) == names
    for got, want in zip(encoder(x), before, strict=True):
        torch.testing.assert_close(got, want)
