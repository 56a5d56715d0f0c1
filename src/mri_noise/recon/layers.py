"""The layers that networks are built from, each able to replay its derivative (:mod:`mri_noise.replay`).

They take real tensors of shape (n, channels, rows, columns) and have the parameter names of their torch namesakes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mri_noise.replay import Step, Tangent, divide, is_replaying, multiply


def to_channels(image: Tensor) -> Tensor:
    """View complex (..., rows, columns) as real (n, 2, rows, columns): real part, imaginary part."""
    channels = torch.view_as_real(image).movedim(-1, -3).reshape(-1, 2, *image.shape[-2:])
    return channels.contiguous()  # or all layers would be channels-last, slow to normalise and to gate


def to_complex(channels: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`to_channels`, with the leading axes of ``like``."""
    return torch.view_as_complex(channels.to(like.real.dtype).movedim(-3, -1).contiguous()).reshape(like.shape)


class Conv2d(nn.Conv2d):
    """Convolution; its bias has no derivative."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, None if is_replaying() else self.bias)


@Step
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return F.relu(x)


@relu.derivative
def _(x: Tensor) -> Tangent:
    gate = (x > 0).to(torch.bfloat16)  # 0 and 1 in half the memory; a product with booleans takes three times as long
    return lambda dx: dx * gate


class ReLU(nn.Module):
    """Rectified linear unit."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(x)


@Step
def instance_norm_leaky_relu(x: Tensor, *, slope: float, eps: float) -> Tensor:
    """Instance normalisation over rows and columns (biased variance, no affine part), then leaky ReLU."""
    return F.leaky_relu(F.instance_norm(x, eps=eps), slope, inplace=True)


@instance_norm_leaky_relu.derivative
def _(x: Tensor, *, slope: float, eps: float) -> Tangent:
    variance, mean = torch.var_mean(x, (-2, -1), correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    normalised = (x - mean).mul_(scale)
    return lambda dx: _InstanceNormTangent.apply(dx, normalised, scale, slope)


class _InstanceNormTangent(torch.autograd.Function):
    """dx -> gain * (dx - mean(dx) - n mean(n dx)), with n the normalised map and gain its scale times slope or one.

    The adjoint is the same projection after the gain. Stated here, it passes over the maps fewer times than the one
    that torch would derive, and the recorded n is the only map that either keeps.
    """

    @staticmethod
    def forward(ctx: Any, dx: Tensor, normalised: Tensor, scale: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(normalised, scale)
        ctx.slope = slope
        mean, along = _removed(dx, normalised)
        return (dx - mean).addcmul_(along, normalised, value=-1).mul_(_gain(normalised, scale, slope))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        normalised, scale = ctx.saved_tensors
        dx = gradients[0] * _gain(normalised, scale, ctx.slope)
        mean, along = _removed(dx, normalised)
        return dx.sub_(mean).addcmul_(along, normalised, value=-1), None, None, None


def _removed(dx: Tensor, normalised: Tensor) -> tuple[Tensor, Tensor]:
    """Means of dx and of n dx, for each probe and map: shape (probes, n, channels, 1, 1)."""
    n_pixels = dx.shape[-2] * dx.shape[-1]
    probes_last = dx.reshape(len(dx), -1, n_pixels).permute(1, 2, 0)
    along = torch.bmm(normalised.reshape(-1, 1, n_pixels), probes_last).div_(n_pixels)
    return dx.mean((-2, -1), keepdim=True), along.permute(2, 0, 1).reshape(*dx.shape[:-2], 1, 1)


def _gain(normalised: Tensor, scale: Tensor, slope: float) -> Tensor:
    return normalised.sign().clamp_(min=slope).mul_(scale)


class InstanceNormLeakyReLU(nn.Module):
    """Instance normalisation followed by leaky ReLU, as one step."""

    def __init__(self, slope: float = 0.2, eps: float = 1e-5) -> None:
        super().__init__()
        self.slope = slope
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return instance_norm_leaky_relu(x, slope=self.slope, eps=self.eps)


@Step
def standard_deviation(x: Tensor) -> Tensor:
    """Unbiased standard deviation over rows and columns (kept with length 1)."""
    return x.std((-2, -1), keepdim=True)


@standard_deviation.derivative
def _(x: Tensor) -> Tangent:
    variance, mean = torch.var_mean(x, (-2, -1), keepdim=True)
    direction = (x - mean) / (variance.sqrt() * (x.shape[-2] * x.shape[-1] - 1))
    return lambda dx: (dx * direction).sum((-2, -1), keepdim=True)


@Step
def root_mean_square(x: Tensor) -> Tensor:
    """Root of the mean of |x|^2 over rows and columns (kept with length 1), as a tensor of x's type."""
    return x.abs().square().mean((-2, -1), keepdim=True).sqrt().to(x.dtype)


@root_mean_square.derivative
def _(x: Tensor) -> Tangent:
    rms = x.abs().square().mean((-2, -1), keepdim=True).sqrt()
    direction = x.conj() / (rms * (x.shape[-2] * x.shape[-1]))
    return lambda dx: (dx * direction).real.sum((-2, -1), keepdim=True).to(x.dtype)


__all__ = [
    "Conv2d",
    "InstanceNormLeakyReLU",
    "ReLU",
    "divide",
    "instance_norm_leaky_relu",
    "multiply",
    "relu",
    "root_mean_square",
    "standard_deviation",
    "to_channels",
    "to_complex",
]
