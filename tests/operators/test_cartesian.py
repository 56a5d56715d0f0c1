import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.operators.cartesian import Sense
from tests.problems import equispaced, smooth_maps


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 8), columns=st.integers(1, 9), coils=st.integers(1, 4),
    pattern=st.sampled_from(["columns", "rows", "both", "all", "none"]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_normal_is_adjoint_after_forward(rows: int, columns: int, coils: int, pattern: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"columns": (1, columns), "rows": (rows, 1), "both": (rows, columns), "all": (1, 1), "none": (1, 1)}
    sampled = torch.rand(shapes[pattern], generator=generator) < {"all": 2.0, "none": -1.0}.get(pattern, 0.5)
    sense = Sense(smooth_maps(coils, rows, columns, torch.complex128), sampled.expand(rows, columns))
    x = torch.randn(2, rows, columns, generator=generator, dtype=torch.complex128)
    torch.testing.assert_close(sense.normal(x), sense.adjoint(sense(x)))


@pytest.mark.usefixtures("unchecked_shapes")
def test_mask_and_maps_must_agree() -> None:
    with pytest.raises(ValueError, match=r"the mask is \(4, 5\) but the coil maps are \(4, 6\)"):
        Sense(smooth_maps(2, 4, 6, torch.complex64), torch.ones(4, 5, dtype=torch.bool))


def test_unsampled_points_stay_zero() -> None:
    mask = equispaced(4, 6, 3)
    sense = Sense(smooth_maps(2, 4, 6, torch.complex64), mask)
    kspace = sense(torch.ones(4, 6, dtype=torch.complex64))
    assert (kspace[:, ~mask] == 0).all()
    assert (kspace[:, mask] != 0).any()
