"""How many bundles of pilots a plan takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from mri_noise.acquisition.masks import PoissonDisc, Random2D, RandomLines
from mri_noise.variance.lattice.bundles import plan_by_bundles, plan_by_rows, trust_under
from mri_noise.variance.plan import Lattice, Plan


@dataclass(frozen=True)
class Asked:
    voxels: Tensor


def plan_of(index: int, n_signs: int = 1) -> Plan:
    return Plan(Lattice(1, index, 1), n_signs, 0.01, 0.011, 8, 0.02, 8)


def forward_products(_: Sequence[Asked]) -> Plan:
    return Plan(None, 700, 0.01, 0.011, 8, 0.02, 8)


def nothing(_: Sequence[Asked]) -> None:
    return None


@pytest.mark.parametrize(
    ("choose", "n_asked"),
    [
        (lambda _: plan_of(10), [3]),
        (lambda _: plan_of(62), [3, 4]),
        (lambda _: plan_of(31, 2), [3, 4]),
        (lambda asked: plan_of(62 if len(asked) < 7 else 75), [3, 4, 1]),
        (lambda _: plan_of(1000), [3, 17]),
        (forward_products, [3]),
        (nothing, [3]),
    ],
)
def test_pilots_grow_with_what_they_promise(choose: object, n_asked: list[int]) -> None:
    """Until they are a tenth of the products of the map, or all that there are."""
    asked: list[int] = []

    def compute(voxels: Sequence[Tensor]) -> list[Asked]:
        asked.append(len(voxels))
        return [Asked(each) for each in voxels]

    voxels = list(torch.arange(40).reshape(20, 1, 2))
    plan_by_bundles(voxels, compute, choose, n_first=3, share=0.1)
    assert asked == n_asked


def test_no_more_bundles_are_taken_than_there_are() -> None:
    seen = []
    voxels = list(torch.arange(4).reshape(2, 1, 2))
    plan_by_bundles(
        voxels, lambda some: [Asked(each) for each in some], lambda all_: seen.append(len(all_)), n_first=5, share=0.1
    )
    assert seen == [2]


@pytest.mark.parametrize(("n_first", "n_asked"), [(12, [2]), (13, [3]), (24, [4])])
def test_the_first_bundles_hold_as_many_pilots_as_are_asked_for(n_first: int, n_asked: list[int]) -> None:
    """Six to a bundle, in an image of 96 x 96."""
    asked: list[int] = []

    def compute(voxels: Sequence[Tensor]) -> list[Asked]:
        asked.append(len(voxels))
        assert all(len(each) == 6 for each in voxels)
        return [Asked(each) for each in voxels]

    region = torch.ones(96, 96, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    plan_by_rows(region, generator, compute, lambda _: plan_of(10), n_first=n_first, n_bundles=16, n_left=1000)
    assert asked == n_asked


ROWS = torch.arange(64)[:, None]
LINES = RandomLines(acceleration=4, n_calibration=12)((64, 48), (-1,))
SHIFTED = (ROWS % 2 == 0) & ((torch.arange(48) + ROWS // 2) % 2 == 0)  # a lattice that is no product of two axes


def test_pilots_are_trusted_sooner_where_noise_aliases_over_an_area() -> None:
    along_lines = trust_under(LINES)
    partial_echo = LINES & (ROWS > 16)
    ellipse = LINES & (torch.hypot((ROWS - 32) / 32, (torch.arange(48) - 24) / 24) < 1)
    everything = torch.ones(64, 48, dtype=torch.bool)
    for mask in (LINES.mT, partial_echo, ellipse, SHIFTED, everything, everything[:1, :1]):
        assert trust_under(mask) == along_lines
    for area in (PoissonDisc(acceleration=4, n_calibration=12), Random2D(acceleration=8, n_calibration=8)):
        over_area = trust_under(area((64, 48), (-2, -1)))
        assert over_area.n_first < along_lines.n_first
        assert 1 < over_area.optimism < along_lines.optimism
