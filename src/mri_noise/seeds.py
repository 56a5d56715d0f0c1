"""Generators of random numbers from seeds."""

import numpy as np
import torch


def generator_of(*seeds: int) -> torch.Generator:
    """Return a CPU generator for a seed and the numbers of its use: other numbers give independent ones."""
    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
