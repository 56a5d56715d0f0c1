"""Noise in pairs of opposite sign, which a reconstruction is linearised over and judged by."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from mri_noise.acquisition.noise import NoiseShaping, white_probes
from mri_noise.arrays import Samples


@dataclass(frozen=True, eq=False)
class Draws:
    """Some white noise n, each to be added to data and taken from them.

    Attributes
    ----------
    state
        Of the generator that draws it: whoever asks for more draws is given the same first ones.
    n_pairs
        Pairs of n and -n.
    """

    state: Tensor
    n_pairs: int

    @classmethod
    def by(cls, generator: torch.Generator, n_pairs: int) -> "Draws":
        """Those that a generator is about to draw, which it does not do here."""
        return cls(generator.get_state(), n_pairs)

    def white(self, noise_shaping: NoiseShaping, like: Tensor, *, chunk: int, skipped: int = 0) -> Iterator[Samples]:
        """The noise of one sign after some first ones, shape (batch, coils, *samples): at most ``chunk`` at once."""
        generator = torch.Generator()
        generator.set_state(self.state)
        for _ in white_probes(skipped, noise_shaping.in_shape, generator, like, draw="gaussian", chunk=1):
            pass
        yield from white_probes(
            self.n_pairs - skipped, noise_shaping.in_shape, generator, like, draw="gaussian", chunk=chunk
        )


def opposite(white: Samples) -> Samples:
    """n and -n in turn: shape (2 batch, ...)."""
    return torch.stack([white, -white], 1).flatten(0, 1)
