"""Losses on reciprocal depth: the three terms of the paper, and alternatives on log depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DepthLoss", "LogDepthLoss", "ssim"]


class DepthLoss(nn.Module):
    """L = 1.0 L_ssim + 1.0 L_edges + 0.1 L_depth on reciprocal depth (arXiv 1812.11941, equations 1 to 4).

    L_depth is the mean absolute difference. L_edges is the mean absolute difference of forward differences in x and
    y, where the last row and column of each are zero and still counted. L_ssim is (1 - SSIM) / 2 per image, clipped
    to 0..1, with an 11x11 Gaussian of sigma 1.5 over complete windows.

    Args:
        dynamic_range: L of SSIM, reciprocal_m / smallest depth: 100 for NYU, 80 for KITTI.
    """

    def __init__(
        self,
        dynamic_range: float = 100.0,
        *,
        ssim_weight: float = 1.0,
        edge_weight: float = 1.0,
        depth_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.dynamic_range = dynamic_range
        self.ssim_weight = ssim_weight
        self.edge_weight = edge_weight
        self.depth_weight = depth_weight

    def forward(
        self, prediction: Tensor, target: Tensor, valid: Tensor | None = None, counts: Tensor | None = None
    ) -> Tensor:
        """Mean loss over the batch.

        Args:
            prediction: reciprocal depth (N, 1, H, W), H and W at least 11.
            target: as ``prediction``.
            valid: bool (N, 1, H, W). Invalid pixels contribute nothing to any term: differences count where both
                pixels are valid, and SSIM's windows weigh valid pixels only. All valid gives the dense loss.
            counts: what to divide sums by instead of :meth:`counts` of this batch. For a batch that is cut into equal
                parts, over processes or one after the other, the mean of the parts' counts: then the mean of their
                losses is the loss of the whole batch.

        Raises:
            ValueError: shapes differ, or are not (N, 1, H, W).
        """
        return self.per_image(prediction, target, valid, counts).mean()

    def counts(self, valid: Tensor) -> Tensor:
        """How many pixels count, (1,)."""
        return valid.sum().float()[None]

    def per_image(
        self, prediction: Tensor, target: Tensor, valid: Tensor | None = None, counts: Tensor | None = None
    ) -> Tensor:
        """Loss of each image; the arguments are those of :meth:`forward`.

        Returns:
            (N,); the depth and edge terms are means over the whole batch, as in the authors' program.
        """
        terms = self.terms(prediction, target, valid, counts)
        l_ssim = ((1 - terms["ssim"]) / 2).clamp(0, 1)
        return self.ssim_weight * l_ssim + self.edge_weight * terms["edges"] + self.depth_weight * terms["depth"]

    def terms(
        self, prediction: Tensor, target: Tensor, valid: Tensor | None = None, counts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The three parts of the loss, unweighted; the arguments are those of :meth:`forward`.

        Returns:
            ``ssim`` (N,), the similarity itself, ``edges`` and ``depth`` (scalars).
        """
        _check_shapes(prediction, target, valid)
        if valid is None:
            mask = None
            total = prediction.new_tensor(prediction.numel())
        else:
            # Invalid pixels may hold NaN or infinity, and 0 * NaN is NaN: overwrite before any arithmetic.
            prediction = torch.where(valid, prediction, 0)
            target = torch.where(valid, target, 0)
            mask = valid.to(prediction.dtype)
            total = (mask.sum() if counts is None else counts[0]).clamp(min=1)
        # Differences of each map first, as in the authors' program: where both agree, rounding decides the sign.
        dy_p, dx_p = _forward_differences(prediction, mask)
        dy_t, dx_t = _forward_differences(target, mask)
        return {
            "depth": (prediction - target).abs().sum() / total,
            "edges": ((dy_p - dy_t).abs().sum() + (dx_p - dx_t).abs().sum()) / total,
            "ssim": ssim(prediction, target, self.dynamic_range, mask),
        }


class LogDepthLoss(nn.Module):
    """Size of the log difference d plus multi-scale gradients of it.

    A ratio error costs the same near and far, which is what delta1 and abs rel count. The gradient term over
    several scales is that of MegaDepth (arXiv 1804.00607, equation 9). Needs positive predictions
    (``output="exp"``).

    Args:
        gradient_weight: weight of the gradient term, averaged over the scales.
        scales: number of scales, each half the one before.
        scale_free: None takes the mean of |d|. A number from 0 to 1 takes sqrt(mean(d^2) - scale_free mean(d)^2) of
            each image instead (Eigen et al., arXiv 1406.2283, equation 4, with the root of arXiv 1907.10326): how much
            of an error in the scale of a whole image is forgiven.
    """

    def __init__(self, gradient_weight: float = 0.5, scales: int = 4, *, scale_free: float | None = None) -> None:
        super().__init__()
        self.gradient_weight = gradient_weight
        self.scales = scales
        self.scale_free = scale_free

    def counts(self, valid: Tensor) -> Tensor:
        """How many pixels count at each scale, (scales,)."""
        return torch.stack([valid[..., :: 2**scale, :: 2**scale].sum() for scale in range(self.scales)]).float()

    def forward(
        self, prediction: Tensor, target: Tensor, valid: Tensor | None = None, counts: Tensor | None = None
    ) -> Tensor:
        """Mean loss over the batch; arguments and errors as of :meth:`DepthLoss.forward`, any size, all above 0."""
        _check_shapes(prediction, target, valid)
        if valid is None:
            valid = torch.ones_like(target, dtype=torch.bool)
        mask = valid.to(prediction.dtype)
        counts = self.counts(valid) if counts is None else counts
        difference = (torch.where(valid, prediction, 1) / torch.where(valid, target, 1)).log()
        if self.scale_free is None:
            loss = difference.abs().sum() / counts[0].clamp(min=1)
        else:
            loss = _scale_free_error(difference, mask, self.scale_free).mean()
        gradient = prediction.new_zeros(())
        for scale in range(self.scales):
            step = 2**scale
            d, m = difference[..., ::step, ::step], mask[..., ::step, ::step]
            dy, dx = _forward_differences(d, m)
            gradient = gradient + (dy.abs().sum() + dx.abs().sum()) / counts[scale].clamp(min=1)
        return loss + self.gradient_weight * gradient / self.scales


def _scale_free_error(difference: Tensor, mask: Tensor, share: float) -> Tensor:
    """sqrt(mean(d^2) - share mean(d)^2) over the pixels of ``mask``, (N, 1, H, W) -> (N,)."""
    count = mask.sum(dim=(1, 2, 3)).clamp(min=1)
    mean = difference.sum(dim=(1, 2, 3)) / count
    mean_sq = difference.square().sum(dim=(1, 2, 3)) / count
    square = mean_sq - share * mean.square()
    # The root's slope is infinite at 0, where an image without valid pixels is; rounding may lead below it.
    some = square > 1e-8
    return torch.where(some, torch.where(some, square, 1).sqrt(), 0)


def ssim(x: Tensor, y: Tensor, dynamic_range: float, mask: Tensor | None = None) -> Tensor:
    """Structural similarity per image, (N, 1, H, W) -> (N,), with k1 .01, k2 .03 (Wang et al. 2004).

    Windows are 11x11 Gaussians of sigma 1.5, only where they fit completely.

    Args:
        x: (N, 1, H, W), H and W at least 11.
        y: as ``x``.
        dynamic_range: L, from the smallest to the largest value there can be.
        mask: 0 or 1, as ``x``. The window weights are renormalised over the pixels it keeps, and each window counts by
            the weight it keeps; an image without any is 1.
    """
    window = _gaussian_window(x)
    c1, c2 = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
    coverage = torch.ones_like(x[..., 10:, 10:]) if mask is None else F.conv2d(mask, window)
    safe = coverage.clamp(min=1e-6)

    def local_mean(value: Tensor) -> Tensor:
        return F.conv2d(value if mask is None else value * mask, window) / safe

    mean_x, mean_y = local_mean(x), local_mean(y)
    # TensorFlow's form: the sum of both variances at once, and luminance apart from contrast and structure.
    mean_xy2, mean_sq2 = 2 * mean_x * mean_y, mean_x.square() + mean_y.square()
    luminance = (mean_xy2 + c1) / (mean_sq2 + c1)
    covariance2 = 2 * local_mean(x * y) - mean_xy2
    variances = local_mean(x.square() + y.square()) - mean_sq2
    value = luminance * (covariance2 + c2) / (variances + c2)
    if mask is None:
        return value.mean(dim=(1, 2, 3))
    # An image without any valid pixel is perfectly similar: it must not pull on the loss.
    weight = coverage.sum(dim=(1, 2, 3))
    mean = (value * coverage).sum(dim=(1, 2, 3)) / weight.clamp(min=1e-6)
    return torch.where(weight > 0, mean, 1)


def _gaussian_window(like: Tensor, size: int = 11, sigma: float = 1.5) -> Tensor:
    offset = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
    line = torch.exp(-offset.square() / (2 * sigma**2))
    window = torch.outer(line, line)
    return (window / window.sum()).view(1, 1, size, size)


def _forward_differences(value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    dy = value[..., 1:, :] - value[..., :-1, :]
    dx = value[..., :, 1:] - value[..., :, :-1]
    if mask is not None:
        dy = dy * mask[..., 1:, :] * mask[..., :-1, :]
        dx = dx * mask[..., :, 1:] * mask[..., :, :-1]
    return dy, dx


def _check_shapes(prediction: Tensor, target: Tensor, valid: Tensor | None) -> None:
    shapes = [tuple(t.shape) for t in (prediction, target, valid) if t is not None]
    if len(set(shapes)) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 1:
        raise ValueError(f"prediction, target and valid must share one shape (N, 1, H, W), got {shapes}")
