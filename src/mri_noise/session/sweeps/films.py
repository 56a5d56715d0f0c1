"""Noise that can be seen: linearised realisations of an image, one a frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from mri_noise.acquisition.noise import white_probes
from mri_noise.pipeline import StageCache
from mri_noise.seeds import generator_of
from mri_noise.session.jobs import OpenedScan, Snapshot
from mri_noise.session.layer_data import LayerSpec, image_layers
from mri_noise.session.regions.readouts import linearised
from mri_noise.session.sweeps.stacks import with_slider

_FILM = 3  # stream of random numbers: 0 to 2 are those of the pipeline


@dataclass(frozen=True, slots=True)
class Film:
    """Noise of an image, to first order.

    Attributes
    ----------
    run
    noise : shape (frames, rows, columns)
        J n, with n drawn from the noise of the data.
    n_frames
        When complete.
    """

    run: Snapshot
    noise: Complex[Tensor, "frames rows columns"]
    n_frames: int


def film(run: Snapshot, opened: OpenedScan, n_frames: int, cache: StageCache) -> Iterator[Film]:
    """Draw noise and propagate it, one Jacobian product a frame: all frames so far.

    Raises
    ------
    ValueError
        If the scan is another one than the run's.
    """
    at = linearised(run, opened, cache)
    generator = generator_of(run.result.experiment.seed, run.result.index, _FILM)
    shape = at.operator.in_shape
    frames: list[Tensor] = []
    for white in white_probes(n_frames, shape, generator, at.image, draw="gaussian", chunk=1):
        frames.extend(at.operator(white).cpu())
        yield Film(run, torch.stack(frames), n_frames)


def film_layer(made: Film, amplification: float) -> LayerSpec:
    """The image plus its amplified noise, shape (frames, 1, rows, columns), in the window of the image."""
    result = made.run.result
    image = image_layers(result, made.run.job.name)[1]
    times = "" if amplification == 1 else f"{amplification:g} "
    return replace(
        image,
        key="film",
        title=f"{made.run.job.name}: {result.experiment.reconstruction.label} + {times}J n, linearised",
        data=(result.image + amplification * made.noise).numpy()[:, None].astype(np.complex64),
        geometry=with_slider(image.geometry, "frame"),
        provenance={**image.provenance, "quantity": "film", "n_frames": made.n_frames, "amplification": amplification},
    )
