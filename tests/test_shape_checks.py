"""What annotations say of shapes holds in every test: at the first call of a function, and at later ones."""

import pytest
import torch
from jaxtyping import TypeCheckError

from mri_noise.acquisition.scan import Slice
from mri_noise.variance.maps import snr

KSPACE = torch.zeros(2, 4, 6, dtype=torch.complex64)


def test_arguments_that_do_not_fit_are_refused_at_every_call() -> None:
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            snr(KSPACE[0], torch.ones(4, 5))
        with pytest.raises(TypeCheckError):
            snr(torch.zeros(4, 6), torch.ones(4, 6))
        assert snr(KSPACE[0], torch.ones(4, 6)).shape == (4, 6)


def test_fields_that_do_not_fit_each_other_are_refused() -> None:
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            Slice(KSPACE, torch.ones(4, 5, dtype=torch.bool))
        assert Slice(KSPACE, torch.ones(4, 6, dtype=torch.bool)).noise is None
