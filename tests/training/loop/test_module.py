from pathlib import Path

import pytest
import torch

from mri_noise.training.loop.module import Training
from tests.training.tiny import tiny_example
from tests.training.trainings import tiny_recipe


def test_a_gradient_that_is_not_finite_is_refused_before_it_reaches_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Training(tiny_recipe(tmp_path))
    monkeypatch.setattr(Training, "global_step", 6)
    for parameter in module.network.parameters():
        parameter.grad = torch.full_like(parameter, torch.inf)
    with pytest.raises(ValueError, match="the gradient is not finite in step 7; its checkpoints were kept"):
        module.configure_gradient_clipping(torch.optim.SGD(module.parameters()), 1.0)


@pytest.mark.parametrize("limit", [None, 0.5, 1e6])
def test_the_norm_of_the_gradient_is_limited(tmp_path: Path, limit: float | None) -> None:
    module = Training(tiny_recipe(tmp_path)).double()
    example = tiny_example(16, 16)
    module.recipe.objective(module.network, example, 0.0).total.backward()
    before = torch.cat([parameter.grad.flatten().clone() for parameter in module.network.parameters()])
    module.configure_gradient_clipping(torch.optim.SGD(module.parameters()), limit)
    after = torch.cat([parameter.grad.flatten() for parameter in module.network.parameters()])
    expected = before if limit is None or before.norm() < limit else before * limit / before.norm()
    torch.testing.assert_close(after, expected, rtol=1e-5, atol=0)
