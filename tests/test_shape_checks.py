"""What annotations say of shapes holds in every test: at the first call of a function, and at later ones."""

import pytest
import torch
from jaxtyping import TypeCheckError

from mri_noise.acquisition.scan import Slice
from mri_noise.variance.estimate import unit_phase

KSPACE = torch.zeros(2, 4, 6, dtype=torch.complex64)


def test_arguments_that_do_not_fit_are_refused_at_every_call() -> None:
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            unit_phase(torch.zeros(4, dtype=torch.complex64))
        with pytest.raises(TypeCheckError):
            unit_phase(torch.zeros(4, 6))
        assert unit_phase(KSPACE).shape == KSPACE.shape


def test_fields_that_do_not_fit_each_other_are_refused() -> None:
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            Slice(KSPACE, torch.ones(4, 5, dtype=torch.bool))
        assert Slice(KSPACE, torch.ones(4, 6, dtype=torch.bool)).noise is None
