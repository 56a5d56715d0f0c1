"""The noise of the zero-filled image, against its dense covariance."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.acquisition.noise import NoiseShaping
from mri_noise.recon.linear import ZeroFilled
from mri_noise.recon.networks.meddlr_unet import MeddlrUNetSettings
from mri_noise.variance.linearise.zero_filled import ImageDomain
from tests.cases import reconstructor
from tests.problems import Problem, equispaced, point_of, problem

MASKS = {
    "lines": equispaced(7, 9, 2, 2),
    "rows": equispaced(9, 7, 2, 2).mT,
    "points": torch.rand(7, 9, generator=torch.Generator().manual_seed(1)) < 0.5,
    "all": torch.ones(7, 9, dtype=torch.bool),
    "none": torch.zeros(7, 9, dtype=torch.bool),
}


def domain_of(of: Problem) -> ImageDomain:
    noise_shaping = NoiseShaping.of(of.noise, of.encoding.mask, of.kspace.dtype)
    return ImageDomain(lambda image: image, of.encoding.adjoint(of.kspace), of.encoding.point_spread, noise_shaping)


def dense(domain: ImageDomain, reach: int | None) -> torch.Tensor:
    """A column for each voxel."""
    shape = domain.zero_filled.shape
    units = torch.eye(shape.numel(), dtype=domain.zero_filled.dtype).reshape(-1, *shape)
    return domain.covariance(units, reach).reshape(shape.numel(), -1).mT


@pytest.mark.parametrize("kind", MASKS)
def test_the_covariance_is_that_of_the_encoding_and_its_noise(kind: str) -> None:
    of = problem(7, 9, mask=MASKS[kind])
    domain = domain_of(of)
    image = torch.randn(2, 7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)
    expected = of.encoding.adjoint(domain.noise_shaping(domain.noise_shaping.adjoint(of.encoding(image))))
    torch.testing.assert_close(domain.covariance(image), expected)


@given(st.sampled_from(["lines", "rows", "points"]), st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_a_reach_leaves_out_what_is_farther_along_an_undersampled_axis(kind: str, reach: int) -> None:
    domain = domain_of(problem(7, 9, mask=MASKS[kind]))
    y, x = (n.flatten() for n in torch.meshgrid(torch.arange(7), torch.arange(9), indexing="ij"))
    near = torch.ones(63, 63, dtype=torch.bool)
    for place, n, along in ((y, 7, kind != "lines"), (x, 9, kind != "rows")):
        distance = (place[:, None] - place).abs()
        near &= (torch.minimum(distance, n - distance) <= reach) | (not along)
    torch.testing.assert_close(dense(domain, reach), dense(domain, None) * near)


@pytest.mark.parametrize("reconstruction", [reconstructor("U-Net"), MeddlrUNetSettings(n_channels=4, n_pools=2)()])
def test_a_u_net_refines_the_zero_filled_image(reconstruction: torch.nn.Module) -> None:
    of = problem()
    domain = point_of(of, reconstruction.double()).image_domain
    assert domain is not None
    torch.testing.assert_close(domain.refine(domain.zero_filled), reconstruction(of.kspace, of.encoding))


@pytest.mark.parametrize("name", ["U-Net of magnitudes", "MoDL", "unrolled", "VarNet of the image", "CG-SENSE"])
def test_what_sees_more_than_the_zero_filled_image_does_not(name: str) -> None:
    assert point_of(problem(), reconstructor(name)).image_domain is None
    assert point_of(problem(), ZeroFilled()()).image_domain is None
