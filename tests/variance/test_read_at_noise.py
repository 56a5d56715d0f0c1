"""Read-outs at the noise that is there, against replicas and exact answers."""

import pytest
import torch

from mri_noise.acquisition.noise import white_probes
from mri_noise.variance.linearise.point import OperatingPoint, exact_noise_jacobian
from mri_noise.variance.read_at_noise import NoiseOfReadout, contrast, mean_magnitude, read_at_noise
from mri_noise.variance.readout import contrast_noise, region_noise
from tests.cases import reconstructor
from tests.problems import Curved, louder, point_of, problem

N_REPLICAS = 6000
FIRST, SECOND = torch.zeros(2, 9, 12, dtype=torch.bool)
FIRST[2:5, 3:7] = True
SECOND[5:8, 6:9] = True
READOUTS = (mean_magnitude(FIRST), mean_magnitude(SECOND), contrast(FIRST, SECOND))


def _read(point: OperatingPoint, n_draws: int, seed: int = 0) -> list[NoiseOfReadout]:
    return read_at_noise(point, READOUTS, torch.Generator().manual_seed(seed), n_draws=n_draws)


def test_at_little_noise_it_is_the_exact_first_order_one() -> None:
    point = louder(point_of(problem(), reconstructor("MoDL")), 1e-3)
    operator = exact_noise_jacobian(point, chunk=1)
    expected = [
        region_noise(operator, point.image, FIRST).standard_deviation_magnitude,
        region_noise(operator, point.image, SECOND).standard_deviation_magnitude,
        contrast_noise(operator, point.image, FIRST, SECOND).standard_deviation,
    ]
    found = _read(point, 3)
    assert [each.standard_deviation for each in found] == pytest.approx(expected, rel=1e-2)
    assert all(each.n_evaluations == 3 * 2 * 4 for each in found)


@pytest.mark.parametrize("name", ["curved", "U-Net", "MoDL"])
def test_at_any_noise_it_is_that_of_replicas(name: str) -> None:
    reconstruct = Curved(0.1) if name == "curved" else reconstructor(name)
    point = louder(point_of(problem(), reconstruct), 6.0)
    generator, shape = torch.Generator().manual_seed(9), point.noise_shaping.in_shape
    values = []
    for white in white_probes(N_REPLICAS, shape, generator, point.kspace, draw="gaussian", chunk=500):
        with torch.no_grad():
            images = point.reconstruct(point.kspace + point.noise_shaping(white))
        values.append(torch.stack([torch.stack([readout(image) for readout in READOUTS]) for image in images]))
    replicas = torch.cat(values)
    for found, each in zip(_read(point, 64), replicas.T, strict=True):
        squared = (each - each.mean()).square()
        error = float(squared.std()) / N_REPLICAS**0.5
        assert abs(found.variance - float(squared.mean())) < 4 * (found.standard_error**2 + error**2) ** 0.5
        assert found.standard_error < 0.2 * found.variance


def test_few_draws_and_empty_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 of them, got 1; raise n_draws"):
        _read(point_of(problem(), Curved(0.1)), 1)
    with pytest.raises(ValueError, match="holds no voxel"):
        mean_magnitude(torch.zeros(9, 12, dtype=torch.bool))
