"""The same mathematics written plainly: dense matrices, convolutions from a state dict, derivatives by torch.func."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from mri_noise.operators.cartesian import Sense
from mri_noise.operators.jacobian import Jacobian
from mri_noise.operators.linop import dot_test
from mri_noise.recon.reconstructor import Reconstructor


def dense(encoding: Sense) -> Tensor:
    """The matrix of A, shape (samples, voxels)."""
    rows, columns = encoding.in_shape
    units = torch.eye(rows * columns, dtype=encoding.coil_maps.dtype).reshape(-1, rows, columns)
    return encoding(units).flatten(1).mT


def solve(matrix: Tensor, right_hand_side: Tensor, tikhonov: Tensor | float) -> Tensor:
    """(A^H A + lambda)^-1 b by dense algebra, for one image."""
    normal = matrix.mH @ matrix + tikhonov * torch.eye(matrix.shape[1], dtype=matrix.dtype)
    return torch.linalg.solve(normal, right_hand_side.flatten()).reshape(right_hand_side.shape)


def residual_cnn(weights: dict[str, Tensor], prefix: str, n_blocks: int, image: Tensor) -> Tensor:
    """x + C(B_n(... B_1(x))), B(x) = W x + conv(relu(conv(relu(x)))), for one complex image."""

    def conv(name: str, x: Tensor) -> Tensor:
        weight = weights[f"{prefix}.{name}.weight"]
        return F.conv2d(x, weight, weights[f"{prefix}.{name}.bias"], padding=weight.shape[-1] // 2)

    x = torch.stack([image.real, image.imag])[None]
    for i in range(n_blocks):
        inside = conv(f"blocks.{i}.convolutions.0", x.clamp_min(0))
        inside = conv(f"blocks.{i}.convolutions.1", inside.clamp_min(0))
        x = inside + (conv(f"blocks.{i}.shortcut", x) if i == 0 else x)
    real, imaginary = conv("last", x)[0]
    return image + torch.complex(real, imaginary)


def assert_jacobian_is_exact(reconstructor: Reconstructor, kspace: Tensor, encoding: Sense) -> None:
    """Compare the replayed Jacobian with torch's derivative, and its adjoint with itself."""
    generator = torch.Generator().manual_seed(1)
    function = partial(reconstructor, encoding=encoding)
    jacobian = Jacobian.of_steps(function, kspace, chunk=2)
    u, v, w = torch.randn(3, *kspace.shape, generator=generator, dtype=kspace.dtype)

    torch.testing.assert_close(jacobian.value, function(kspace))
    expected = torch.stack([torch.func.jvp(function, (kspace,), (d,))[1] for d in (u, v, w)])
    torch.testing.assert_close(jacobian(torch.stack([u, v, w])), expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(jacobian(2 * u - 3 * v), 2 * expected[0] - 3 * expected[1], rtol=1e-8, atol=1e-10)
    assert dot_test(jacobian, generator) < 1e-10
    assert dot_test(jacobian.H, generator) < 1e-10


def assert_leading_axes_are_independent_and_scale_is_undone(reconstructor: Reconstructor, encoding: Sense) -> None:
    """Compare a batch with its members one by one, and with the image of the same data in other units."""
    generator = torch.Generator().manual_seed(4)
    kspace = torch.randn(2, 2, *encoding.out_shape, dtype=torch.complex128, generator=generator)
    image = reconstructor(kspace, encoding)
    one_by_one = torch.stack([reconstructor(k, encoding) for k in kspace.flatten(0, 1)])
    torch.testing.assert_close(image.flatten(0, 1), one_by_one)
    torch.testing.assert_close(reconstructor(1e-5 * kspace, encoding), 1e-5 * image, atol=0, rtol=1e-7)


def multiscale(weights: dict[str, Tensor], prefix: str, widths: tuple[int, ...], image: Tensor, u: Tensor) -> Tensor:
    """x + s W^T N(W x, W (x - u)) with Haar coefficients W in units s of their diagonal detail, for one image."""

    def conv(name: str, x: Tensor, padding: int = 1, stride: int = 1) -> Tensor:
        return F.conv2d(
            x, weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"], padding=padding, stride=stride
        )

    def block(name: str, x: Tensor) -> Tensor:
        return x + conv(f"{name}.second", conv(f"{name}.first", x.clamp_min(0)).clamp_min(0))

    def bands(x: Tensor) -> Tensor:
        a, b, c, d = x[::2, ::2], x[::2, 1::2], x[1::2, ::2], x[1::2, 1::2]
        return torch.stack([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]) / 2

    rows, columns = image.shape
    multiple = 2 ** max(len(widths), 2)
    padded, change = (bands(F.pad(x, (0, -columns % multiple, 0, -rows % multiple))) for x in (image, image - u))
    size = padded[3].abs().square().mean().sqrt() + 1e-4
    mean = F.avg_pool2d(torch.stack([padded[0].real, padded[0].imag]), 2).repeat_interleave(2, -1)
    mean = mean.repeat_interleave(2, -2)
    high = padded[0] - torch.complex(mean[0], mean[1])
    maps = torch.cat([padded[:1] / 2, high[None] / size, padded[1:] / size, change / size])
    x = conv("first", torch.stack([maps.real, maps.imag], 1).reshape(1, -1, *maps.shape[1:]))
    skips = []
    for i in range(len(widths) - 1):
        skips.append(block(f"encoders.{i}", x))
        x = conv(f"downs.{i}", skips[-1], padding=0, stride=2)
    x = block(f"encoders.{len(widths) - 1}", x)
    for i in reversed(range(len(widths) - 1)):
        up = F.conv_transpose2d(x, weights[f"{prefix}ups.{i}.weight"], stride=2)
        x = block(f"decoders.{i}", skips.pop() + up)
    real, imaginary = conv("last", x).reshape(4, 2, *maps.shape[1:]).unbind(1)
    m, h, v, d = size * torch.complex(real, imaginary)
    refined = torch.zeros(2 * m.shape[0], 2 * m.shape[1], dtype=image.dtype)
    refined[::2, ::2], refined[::2, 1::2] = (m + h + v + d) / 2, (m - h + v - d) / 2
    refined[1::2, ::2], refined[1::2, 1::2] = (m + h - v - d) / 2, (m - h - v + d) / 2
    return image + refined[:rows, :columns]
