"""The layers that networks are built from, each able to replay its derivative (:mod:`mri_noise.operators.replay`).

They take real tensors of shape (n, channels, rows, columns) and have the parameter names of their torch namesakes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mri_noise.operators.replay import Along, Coefficients, Step, Tangent, divide, in_lower_precision, multiply

_AXES = (-2, -1)


def to_channels(image: Tensor) -> Tensor:
    """View complex (..., rows, columns) as real (n, 2, rows, columns): real part, imaginary part."""
    channels = torch.view_as_real(image).movedim(-1, -3).reshape(-1, 2, *image.shape[-2:])
    return channels.contiguous()  # or all layers would be channels-last, see laid_out


def laid_out(channels: Tensor, *, training: bool) -> Tensor:
    """Put channels last where convolutions are quicker so: on a CPU, and on a GPU in reduced precision.

    For networks without normalisation, which takes longer so.
    """
    if channels.is_cuda and not training and not in_lower_precision():
        return channels
    return channels.movedim(-3, -1).contiguous().movedim(-1, -3)  # vmap knows no memory format


def to_complex(channels: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`to_channels`, with the leading axes of ``like``."""
    return torch.view_as_complex(channels.to(like.real.dtype).movedim(-3, -1).contiguous()).reshape(like.shape)


@Step
def _convolve(x: Tensor, *, convolve: Callable[..., Tensor], weight: Tensor, bias: Tensor | None) -> Tensor:
    return convolve(x, weight, bias)


@_convolve.derivative
def _(x: Tensor, *, convolve: Callable[..., Tensor], weight: Tensor, bias: Tensor | None) -> Tangent:
    return _ConvolutionTangent(convolve, weight.detach())


@dataclass(frozen=True)
class _ConvolutionTangent(Coefficients):
    """A convolution in the precision of its weights; its bias has no derivative."""

    convolve: Callable[..., Tensor]
    weight: Tensor

    def __call__(self, dx: Tensor) -> Tensor:
        flat = dx.flatten(0, 1).to(self.weight.dtype)
        return self.convolve(flat, self.weight, None).unflatten(0, dx.shape[:2])

    def rounded(self, dtype: torch.dtype) -> "_ConvolutionTangent":
        return replace(self, weight=self.weight.to(dtype))


class Conv2d(nn.Conv2d):
    """Convolution."""

    def forward(self, input: Tensor) -> Tensor:
        return _convolve(input, convolve=self._conv_forward, weight=self.weight, bias=self.bias)


class ConvTranspose2d(nn.ConvTranspose2d):
    """Transposed 2x2 convolution of stride 2 without a bias."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=2, stride=2, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # type: ignore[override]
        convolve = partial(F.conv_transpose2d, stride=self.stride)
        return _convolve(input, convolve=convolve, weight=self.weight, bias=self.bias)


@Step
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return F.relu(x)


@relu.derivative
def _(x: Tensor) -> Tangent:
    return _Gating((x > 0).to(torch.bfloat16))  # half the memory; a product with booleans takes three times as long


@dataclass(frozen=True)
class _Gating(Coefficients):
    """A product with zeros and ones, or their means over a power of two of points, which every real type holds."""

    averaged: ClassVar[tuple[str, ...]] = ("gate",)
    gate: Tensor

    def __call__(self, dx: Tensor) -> Tensor:
        return dx * self.gate

    def rounded(self, dtype: torch.dtype) -> "_Gating":
        return replace(self, gate=self.gate.contiguous(memory_format=torch.channels_last))


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
    gain = normalised.sign().clamp_(min=slope).mul_(scale)
    return _InstanceNormTangent(normalised, gain, gain * normalised)


@dataclass(frozen=True)
class _InstanceNormTangent(Coefficients):
    """dx -> gain * (dx - mean(dx)) - amplified * mean(n dx).

    With the normalised map n, the gain (scale times slope or one), and what it makes of n. Means over points leave out
    how n at one voxel varies with the amplified n at another, which is a share 1 / voxels of each.
    """

    averaged: ClassVar[tuple[str, ...]] = ("normalised", "gain", "amplified")
    normalised: Tensor
    gain: Tensor
    amplified: Tensor

    def __call__(self, dx: Tensor) -> Tensor:
        return _InstanceNormProduct.apply(dx, self.normalised, self.gain, self.amplified)

    def rounded(self, dtype: torch.dtype) -> "_InstanceNormTangent":
        return replace(self, **{name: getattr(self, name).to(dtype) for name in self.averaged})


class _InstanceNormProduct(torch.autograd.Function):
    """The product of :class:`_InstanceNormTangent`, and its adjoint.

    Stated here, the adjoint passes over the maps fewer times than the one that torch would derive, and nothing but what
    was recorded is kept. A lower precision is that of maps between layers and of what was recorded; the work itself is
    in single precision, which is quicker on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, dx: Tensor, normalised: Tensor, gain: Tensor, amplified: Tensor) -> Tensor:
        ctx.save_for_backward(normalised, gain, amplified)
        change, n, g, a = _at_work(dx, normalised, gain, amplified)
        mean, along = _removed(change, n)
        return (change - mean).mul_(g).addcmul_(along, a, value=-1).to(dx.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, n, g, a = _at_work(gradients[0], *ctx.saved_tensors)
        along = _mean_product(gradient, a)
        change = gradient * g
        change.sub_(change.mean((-2, -1), keepdim=True)).addcmul_(along, n, value=-1)
        return change.to(gradients[0].dtype), None, None, None


def _at_work(*maps: Tensor) -> tuple[Tensor, ...]:
    """Maps in the precision of the first, or in single precision if that is lower."""
    dtype = torch.promote_types(maps[0].dtype, torch.float32)
    return tuple(each.to(dtype) for each in maps)


def _removed(dx: Tensor, normalised: Tensor) -> tuple[Tensor, Tensor]:
    """Means of dx and of n dx, for each probe and map: shape (probes, n, channels, 1, 1)."""
    return dx.mean((-2, -1), keepdim=True), _mean_product(dx, normalised)


def _mean_product(dx: Tensor, other: Tensor) -> Tensor:
    """The mean of a product over rows and columns, for each probe and map: shape (probes, n, channels, 1, 1)."""
    n_pixels = dx.shape[-2] * dx.shape[-1]
    probes_last = dx.reshape(len(dx), -1, n_pixels).permute(1, 2, 0)
    along = torch.bmm(other.reshape(-1, 1, n_pixels), probes_last).div_(n_pixels)
    return along.permute(2, 0, 1).reshape(*dx.shape[:-2], 1, 1)


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
    return Along((x - mean) / (variance.sqrt() * (x.shape[-2] * x.shape[-1] - 1)), _AXES)


@Step
def root_mean_square(x: Tensor) -> Tensor:
    """Root of the mean of |x|^2 over rows and columns (kept with length 1), as a tensor of x's type."""
    return x.abs().square().mean(_AXES, keepdim=True).sqrt().to(x.dtype)


@root_mean_square.derivative
def _(x: Tensor) -> Tangent:
    rms = x.abs().square().mean(_AXES, keepdim=True).sqrt()
    return _RootMeanSquareTangent(x.conj() / (rms * (x.shape[-2] * x.shape[-1])), _AXES)


class _RootMeanSquareTangent(Along):
    def __call__(self, dx: Tensor) -> Tensor:
        return super().__call__(dx).to(self.direction.dtype)


__all__ = [
    "Conv2d",
    "ConvTranspose2d",
    "InstanceNormLeakyReLU",
    "ReLU",
    "divide",
    "instance_norm_leaky_relu",
    "laid_out",
    "multiply",
    "relu",
    "root_mean_square",
    "standard_deviation",
    "to_channels",
    "to_complex",
]
