import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.coils import Espirit
from mri_noise.acquisition.noise import Noise, mix_coils, whitening_matrix
from mri_noise.operators.fourier import centered_fft
from mri_noise.phantom.receivers import coil_sensitivities, noise_covariance
from mri_noise.training.simulation.dice import Dice
from mri_noise.training.simulation.geometry import Plane
from mri_noise.training.simulation.receivers import Receivers, calibrated, normalised, shading, support


def _plane(matrix: tuple[int, int] = (40, 48)) -> Plane:
    axes = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    return Plane(matrix, (4.0, 4.0), torch.tensor([0.0, 0, 10], dtype=torch.float64), axes, 1.0)


def _maps(n_coils: int = 4, seed: int = 0) -> torch.Tensor:
    return normalised(Receivers.draw(n_coils, Dice.of(seed)).sensitivities(_plane()))


def _image() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(40) - 20, torch.arange(48) - 24, indexing="ij")
    disc = (torch.hypot(y / 12, x / 16) < 1).float()
    return torch.polar(disc * (1 + 0.3 * torch.cos(y / 3)), 0.05 * x)


@given(seed=st.integers(0, 2**31 - 1), n_coils=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_maps_of_any_array_have_a_sum_of_squares_of_one(seed: int, n_coils: int) -> None:
    power = _maps(n_coils, seed).abs().square().sum(0)
    torch.testing.assert_close(power, torch.ones(40, 48), rtol=0, atol=1e-5)


def test_sensitivities_follow_the_law_of_biot_and_savart_and_are_whitened() -> None:
    drawn = (Receivers.draw(4, Dice.of(seed)) for seed in range(100))
    loops = next(one for one in drawn if one.body == 0 and bool((one.reception == 1).all()))
    plane = _plane()
    points = plane.points(plane.matrix)
    delay = torch.stack([amplitude * field(points) for amplitude, field in loops.delays])
    exact = coil_sensitivities(loops.array, points) * torch.polar(torch.ones_like(delay), delay)
    whitening, after = whitening_matrix(Noise(noise_covariance(loops.array, 1.0, loops.correlation), "array"))
    expected = mix_coils(whitening, exact)
    inside = torch.hypot(points[..., 0] / 70, points[..., 1] / 85) < 1
    error = (loops.sensitivities(plane) - expected)[:, inside]
    assert float(error.abs().square().mean().sqrt() / expected[:, inside].abs().square().mean().sqrt()) < 0.01
    torch.testing.assert_close(after.covariance, torch.eye(4, dtype=torch.complex128))


def test_arrays_differ_and_some_have_body_coils_and_broken_ones() -> None:
    drawn = [Receivers.draw(5, Dice.of(seed)) for seed in range(200)]
    n_body, n_broken = (sum(1 for one in drawn if test(one)) for test in (_has_body, _has_broken))
    assert abs(n_body - 30) < 4 * (200 * 0.15 * 0.85) ** 0.5
    assert abs(n_broken - 20) < 4 * (200 * 0.1 * 0.9) ** 0.5
    assert not torch.equal(drawn[0].array.centres, drawn[1].array.centres)


def _has_body(receivers: Receivers) -> bool:
    return receivers.body > 0


def _has_broken(receivers: Receivers) -> bool:
    return bool((receivers.reception < 1).any())


def test_calibrated_maps_are_the_arrays_where_there_is_an_object_but_for_a_phase_and_an_error() -> None:
    maps, image = _maps(), _image()
    found = calibrated(centered_fft(maps * image), 0.0, (0.9, 0.9), Dice.of(1))
    power = found.abs().square().sum(0)
    inside = power > 0
    torch.testing.assert_close(power, inside.float(), rtol=0, atol=1e-5)
    middle = support(image, 0) * inside > 0
    assert bool(middle.any())
    overlap = (found.conj() * maps).sum(0).abs()[middle]
    assert float(overlap.median()) > 0.95, "the same direction in the space of coils"
    assert float(overlap.min()) < 1 - 1e-6, "but not exactly"


def test_the_support_holds_the_object_and_grows() -> None:
    image = _image()
    supports = [support(image, growth) for growth in range(3)]
    assert bool((supports[0][image.abs() > 0] == 1).all())
    n = [int(one.sum()) for one in supports]
    assert n[0] < n[1] < n[2] < image.numel()
    assert float(supports[2][:4].sum()) == 0, "the background stays out"


def test_shading_is_the_root_sum_of_squares_or_nothing() -> None:
    received = Receivers.draw(4, Dice.of(0)).sensitivities(_plane())
    inside = support(_image(), 0)
    total = torch.linalg.vector_norm(received, dim=0)
    full, none = shading(received, inside, 1.0), shading(received, inside, 0.0)
    ratio = (full / total)[inside > 0]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    assert float(full[inside > 0].median()) == 1
    assert torch.equal(none, torch.ones_like(none))


@pytest.mark.parametrize(("share", "expected"), [(1.0, {8}), (0.0, set(range(8, 25)))])
def test_as_many_maps_as_wanted_come_from_the_smallest_centre(
    share: float, expected: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sides, crops = set(), []

    def calibrate(self: Espirit, kspace: torch.Tensor, mask: torch.Tensor, from_file: None) -> torch.Tensor:
        sides.add(self.n_calibration)
        crops.append(self.crop)
        return kspace

    monkeypatch.setattr(Espirit, "__call__", calibrate)
    for seed in range(300):
        calibrated(torch.ones(1, 32, 32, dtype=torch.complex64), share, (0.9, 0.98), Dice.of(seed))
    assert sides == expected
    assert 0.9 <= min(crops) < 0.91
    assert 0.97 < max(crops) <= 0.98
