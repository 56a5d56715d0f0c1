import numpy as np
import pytest
import torch

from mri_noise.pipeline import StageCache
from mri_noise.readings import estimate_of
from mri_noise.session.jobs import Job, snapshots
from mri_noise.session.sweeps.films import film, film_layer
from mri_noise.variance.sampling.exact import Exact
from tests.session.examples import EXPERIMENT, OPENED

N = 60


def test_frames_have_the_noise_of_the_map() -> None:
    *_, run = snapshots(Job(1, OPENED, 1, EXPERIMENT.model_copy(update={"variance": Exact()})), StageCache())
    films = list(film(run, OPENED, N, StageCache()))
    assert [len(made.noise) for made in films] == list(range(1, N + 1))
    inside = run.result.object
    exact = estimate_of(run.result).channels["complex"].variance
    found = films[-1].noise.abs().square().mean(0)
    ratio = (found / exact)[inside]
    # A mean of N exponential variables, relative to their mean, has the standard error 1 / sqrt(N).
    assert float(ratio.mean()) == pytest.approx(1, abs=4 / (N * 10) ** 0.5)
    assert float((ratio - 1).square().mean() * N) == pytest.approx(1, abs=0.3)


def test_a_film_is_the_image_with_its_noise_amplified() -> None:
    *_, run = snapshots(Job(1, OPENED, 1, EXPERIMENT), StageCache())
    *_, made = film(run, OPENED, 3, StageCache())
    still, strong = film_layer(made, 0.0), film_layer(made, 5.0)
    assert still.data.shape == (3, 1, 32, 28)
    assert still.geometry.axis_labels[0] == "frame"
    assert np.allclose(still.data[2, 0], run.result.image.numpy())
    assert np.allclose(strong.data[:, 0], (run.result.image + 5 * made.noise).numpy(), atol=1e-6)
    assert torch.equal(next(film(run, OPENED, 3, StageCache())).noise[0], made.noise[0])
