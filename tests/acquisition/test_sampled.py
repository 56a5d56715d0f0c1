import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.sampled import sampled_block, without_gaps
from tests.problems import equispaced


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), around=st.tuples(*4 * [st.integers(0, 4)]))
def test_a_padded_rectangle_has_no_gaps_and_is_its_own_block(
    rows: int, columns: int, around: tuple[int, int, int, int]
) -> None:
    mask = torch.nn.functional.pad(torch.ones(rows, columns, dtype=torch.bool), around)
    left, _, top, _ = around
    assert without_gaps(mask)
    assert sampled_block(mask) == (slice(top, top + rows), slice(left, left + columns))


def test_an_ellipse_has_no_gaps_and_lines_left_out_are_gaps() -> None:
    y, x = (torch.linspace(-1, 1, n) for n in (15, 10))
    ellipse = y[:, None] ** 2 + x**2 <= 1
    assert without_gaps(ellipse)
    assert not without_gaps(equispaced(8, 12, 2))
    assert not without_gaps(equispaced(8, 12, 2).mT)
    with_a_hole = ellipse.clone()
    with_a_hole[7, 5] = False
    assert not without_gaps(with_a_hole)
    assert without_gaps(equispaced(8, 12, 1, 4))
    assert sampled_block(equispaced(8, 12, 3, offset=2)) == (slice(0, 8), slice(2, 12))
