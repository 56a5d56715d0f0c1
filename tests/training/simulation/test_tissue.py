import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane
from mri_noise.training.simulation.phase import ObjectPhase
from mri_noise.training.simulation.tissue import draw_contrast, in_contrast, lesions, sharpened, texture

SEEDS = st.integers(0, 2**31 - 1)


def _plane(matrix: tuple[int, int] = (20, 15), pixel: float = 1.0) -> Plane:
    return Plane(matrix, (pixel, pixel), torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64), 1.0)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_contrasts_join_the_signals_of_tissues_without_overshoot(seed: int) -> None:
    table = draw_contrast(Dice.of(seed))
    assert float(table[0]) == 0, "air stays dark"
    assert float(table.min()) >= 0
    tissues = in_contrast(torch.tensor([0.1, 0.3, 0.75, 1.03, 1.3, 1.8, 3.0]), table)
    assert float(table.max()) <= float(tissues.max()) * (1 + 1e-3)
    assert float(tissues[:4].max()) > 0.4, "some tissue is bright"


def test_contrasts_of_both_signs_are_drawn() -> None:
    brains = torch.stack([in_contrast(torch.tensor([0.3, 1.03]), draw_contrast(Dice.of(seed))) for seed in range(200)])
    n_bright_fluid = int((brains[:, 0] > brains[:, 1]).sum())
    assert 20 < n_bright_fluid < 120


def test_values_are_looked_up_linearly() -> None:
    table = torch.linspace(0, 3, 1024).square()
    values = torch.tensor([0.0, 3 / 1023, 0.5 * 3 / 1023, 2.0, 5.0, -1.0])
    step = 3 / 1023
    expected = torch.tensor([0.0, step**2, step**2 / 2, 4.0, 9.0, 0.0])
    torch.testing.assert_close(in_contrast(values, table), expected, rtol=2e-5, atol=1e-9)


def test_sharpening_raises_each_frequency_by_its_gain() -> None:
    plane = _plane((40, 30))
    x = torch.arange(60) / 2
    wave = 5 + torch.cos(2 * math.pi * x / 5)[None].expand(80, 60)
    radius = 2 / 5
    gain = 1 + 3 * radius**2 * math.exp(-((radius / 1.2) ** 4))
    torch.testing.assert_close(sharpened(wave, plane, 2, 3.0), 5 + gain * (wave - 5), rtol=0, atol=1e-4)


def test_texture_has_the_amplitude_asked_for() -> None:
    powers = torch.stack(
        [(texture(_plane(), 2, 0.03, 2.0, Dice.of(seed)) - 1).abs().square().mean() for seed in range(100)]
    )
    standard_error = float(powers.std()) / 10
    assert abs(float(powers.mean()) - 0.03**2) < 4 * standard_error


def test_coarser_texture_is_smoother() -> None:
    def roughness(scale: float) -> float:
        factors = texture(_plane((64, 64)), 1, 0.03, scale, Dice.of(0))
        return float(factors.diff(dim=0).abs().square().mean())

    assert roughness(4.0) < roughness(1.0)


def test_lesions_are_small_and_come_in_numbers() -> None:
    changed = torch.stack([(lesions(_plane((60, 60), 3.0), 1, Dice.of(seed)) - 1).abs() > 0.01 for seed in range(100)])
    shares = changed.float().mean(dim=(1, 2))
    assert 10 < int((shares > 0).sum()) < 80
    assert float(shares.max()) < 0.2


def test_phase_of_points_and_of_fat() -> None:
    drawn = [ObjectPhase.draw(Dice.of(seed)) for seed in range(50)]
    points = 60 * Dice.of(0).normals(100, 3)
    spreads = torch.stack([phase.of_water(points).std() for phase in drawn])
    assert float(spreads.min()) < 0.5, "some hardly have any"
    assert float(spreads.max()) > math.pi / 2, "and some wrap"
    for phase in drawn:
        assert abs(float(phase.of_fat(torch.tensor(0.3)))) < 1e-4
        assert abs(float(phase.of_fat(torch.tensor(3.0))) - phase.fat) < 1e-4
