import pytest

from mri_noise.acquisition.coil_calibration import calibration_size
from mri_noise.evaluation.cases import cases, undersampling_of
from mri_noise.phantom.simulation import Phantom
from mri_noise.variance.maps import acceleration


@pytest.mark.parametrize("kind", ["random-lines", "equispaced"])
@pytest.mark.parametrize(("n_lines", "rate"), [(48, 4.0), (128, 4.0), (128, 8.0), (216, 8.0), (217, 5.5), (320, 4.0)])
def test_lines_are_as_many_as_the_acceleration_says(kind: str, n_lines: int, rate: float) -> None:
    mask = undersampling_of(kind, rate, (32, n_lines), (-1,))((32, n_lines), (-1,))
    of_two_sides = 2  # each side of the calibration holds its length over the spacing to within one line
    assert abs(int(mask[0].sum()) - n_lines / rate) <= (0.5 if kind == "random-lines" else of_two_sides)
    assert min(calibration_size(mask)) >= 8
    assert bool((mask == mask[0]).all())


@pytest.mark.parametrize(("matrix", "rate"), [((64, 48), 4.0), ((128, 128), 8.0), ((256, 216), 4.0)])
def test_points_are_as_many_as_the_acceleration_says(matrix: tuple[int, int], rate: float) -> None:
    mask = undersampling_of("poisson-disc", rate, matrix, (-1,))(matrix, (-1,))
    assert acceleration(mask) == pytest.approx(rate, rel=0.05)
    assert 8 <= min(calibration_size(mask)) <= 26


def test_lines_lie_along_the_phase_encode_axis_of_a_3_d_slice() -> None:
    mask = undersampling_of("equispaced", 4.0, (32, 64), (-2, -1))((32, 64), (-2, -1))
    assert bool((mask == mask[0]).all())


def test_a_matrix_too_small_for_the_acceleration_is_refused() -> None:
    with pytest.raises(ValueError, match="coil calibration alone takes 8; lower the acceleration"):
        undersampling_of("random-lines", 4.0, (32, 32), (-1,))


def test_what_was_acquired_is_one_case_whatever_the_accelerations() -> None:
    scan = Phantom(matrix=(16, 16), n_slices=2, n_coils=1)()
    found = [
        (each.index, each.kind, each.acceleration) for each in cases([scan], ["equispaced", "as-acquired"], [4.0, 8.0])
    ]
    assert found == [(i, *each) for i in (0, 1) for each in (("equispaced", 4), ("equispaced", 8), ("as-acquired", 1))]
