"""Images between their pixels, by cubic convolution."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mri_noise.arrays import Image


def resampled(image: Image, matrix: Float[Tensor, "2 2"], shift: Float[Tensor, " 2"]) -> Image:
    """Return the image where each pixel comes from: x'(p) = x(M (p - c) + c + s), c the pixel n // 2; zero outside.

    Cubic convolution with Keys' a = -1/2, exact for polynomials of degree two and of third order in the pixel size
    for smooth images. (The bicubic mode of ``grid_sample`` has a = -3/4, which is not exact for a ramp.)

    Source: Keys 1981, doi:10.1109/TASSP.1981.1163711.

    Parameters
    ----------
    image : shape (*batch, rows, columns)
    matrix, shift
        Of (row, column) positions [pixels].
    """
    rows, columns = image.shape[-2:]
    centre = torch.tensor([rows // 2, columns // 2], dtype=torch.float64)
    grid = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in (rows, columns)))
    places = ((grid - centre) @ matrix.double().T + centre + shift.double()).to(image.device)
    pixels = torch.view_as_real(image.reshape(-1, rows * columns).T.contiguous()).flatten(1)
    index, weight = _neighbours(places, rows, columns)
    values = functional.embedding_bag(index, pixels, mode="sum", per_sample_weights=weight.to(pixels.dtype))
    return torch.view_as_complex(values.unflatten(1, (-1, 2))).T.reshape(image.shape)


def _neighbours(places: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Index and weight of the 4 x 4 pixels about each place, shape (places, 16); weight zero outside the image."""
    steps = torch.cartesian_prod(*(torch.arange(-1, 3, dtype=torch.float64) for _ in range(2)))
    neighbours = places.floor()[:, None] + steps.to(places.device)
    weight = cubic(places[:, None] - neighbours).prod(-1)
    row, column = neighbours.long().unbind(-1)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return torch.where(inside, row * columns + column, 0), weight * inside


def cubic(distance: Tensor) -> Tensor:
    """Keys' kernel of cubic convolution, at distances in pixels."""
    d = distance.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0))
