"""Trained weights that a training begins with."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from mri_noise.recon.blocks.gradient_steps import with_final_steps
from mri_noise.recon.state_dict import require_fit
from mri_noise.recon.weights.checkpoint import load_network, read_training
from mri_noise.recon.weights.shipped import ShippedName, shipped_weights
from mri_noise.settings import Settings


class Initial(Settings):
    """Trained weights to begin with, to refine them or to fit them to other data."""

    weights: Annotated[ShippedName | Path, Field(union_mode="left_to_right")] = Field(
        description="Name of a shipped model, or a file of weights"
    )
    part: str = Field("", description="The part of the network that they fill, such as cascades; empty: all of it")

    def fill(self, network: nn.Module) -> dict[str, Any]:
        """Give a network these weights; return the file's SHA-256, and what its trainer told of itself.

        Final gradient steps that the file does not have keep their initial values.

        Raises
        ------
        ValueError
            If the file cannot be read, the network has no such part, or the weights are of another one.
        """
        part = self._part_of(network)
        with self._file() as path:
            tensors = load_network(path).state_dict()
            told = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "training": read_training(path)}
        expected = part.state_dict()
        tensors = with_final_steps(tensors, expected)
        try:
            require_fit(tensors, expected)
        except ValueError as error:
            raise ValueError(f"initial.weights '{self.weights}' do not fit this network: {error}") from None
        part.load_state_dict(tensors)
        return told

    def files(self) -> Iterator[Path]:
        """The file of the weights."""
        with self._file() as path:
            yield path

    def _part_of(self, network: nn.Module) -> nn.Module:
        try:
            return network.get_submodule(self.part)
        except AttributeError:
            parts = ", ".join(name for name, _ in network.named_children())
            raise ValueError(
                f"initial.part should be a part of the network, one of {parts}, or empty, got '{self.part}'"
            ) from None

    @contextmanager
    def _file(self) -> Iterator[Path]:
        if isinstance(self.weights, Path):
            yield self.weights
        else:
            with shipped_weights(self.weights) as path:
                yield path
