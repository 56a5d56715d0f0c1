"""Learning from undersampled data alone: a part of the samples is held out, and predicted from the others."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.operators.fourier import central
from mri_noise.operators.point_spread import undersampled_axes
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.example import Example
from mri_noise.training.objectives.kspace import predicted_kspace
from mri_noise.training.objectives.losses import normalised_l1_l2
from mri_noise.training.objectives.value import Needs, ObjectiveSettings, ObjectiveValue
from mri_noise.training.together import reconstruct_each

_DEVIATION = 0.25


class SSDU(ObjectiveSettings):
    """Self-supervision by data undersampling: y on Lambda against M_Lambda F S f(y on Theta), Lambda and Theta apart.

    Theta, all that the network sees, and Lambda, the rest, split the sampled points of each example anew. The
    distance is the normalised L1-L2 (:func:`mri_noise.training.objectives.losses.normalised_l1_l2`). Several splits of
    an example (Yaman 2022, doi:10.1002/nbm.4798) are averaged. The coil maps are those of the example for every split.

    Points are split singly, as published, also where the scan sampled whole lines; Theta is then scattered along both
    axes. Splitting lines keeps it a mask of lines.

    Source: Yaman 2020, doi:10.1002/mrm.28378.
    """

    kind: Literal["ssdu"] = "ssdu"
    ratio: float = Field(0.4, gt=0, lt=1, description="Share of the sampled points, or lines, that is held out")
    split: Literal["points", "lines"] = Field("points", description="What is held out: single points or whole lines")
    density: Literal["gaussian", "uniform"] = Field(
        "gaussian", description="Where: mostly near the centre, of deviation a quarter of the size, or anywhere"
    )
    n_centre: int = Field(4, ge=0, description="Side of the central square, or central lines, that are never held out")
    n_splits: int = Field(1, ge=1, description="Splits of one example, whose losses are averaged")
    needs: ClassVar[Needs] = "nothing"

    def of_each(self, network: Reconstructor, examples: Sequence[Example], progress: float) -> list[ObjectiveValue]:
        """Return the loss of each example, whose target plays no part.

        Raises
        ------
        ValueError
            If too few points or lines are sampled for the ratio, if lines are to be split that the mask does not
            have, or if the network predicts no k-space.
        """
        splits = [self._of_split(network, examples, index) for index in range(self.n_splits)]
        values = [torch.stack(of_example).mean() for of_example in zip(*splits, strict=True)]
        return [ObjectiveValue(value, (("held-out k-space", value),)) for value in values]

    def held_out(self, example: Example, index: int) -> Mask:
        """Draw Lambda of one of the example's splits."""
        generator, mask = example.generator(index), example.mask.cpu()
        if self.split == "points":
            return self._choose(mask, generator).to(example.mask.device)
        axis = _line_axis(mask)
        across = -1 if axis == -2 else -2
        lines = self._choose(mask.any(across), generator)
        return (lines.unsqueeze(across) & mask).to(example.mask.device)

    def _of_split(self, network: Reconstructor, examples: Sequence[Example], index: int) -> list[Tensor]:
        held_out = [self.held_out(example, index) for example in examples]
        seen = [_only(example, example.mask & ~lost) for example, lost in zip(examples, held_out, strict=True)]
        predicted = reconstruct_each(partial(predicted_kspace, network), seen)
        return [
            normalised_l1_l2(kspace[: len(example.kspace)] * lost, example.kspace * lost)
            for kspace, example, lost in zip(predicted, examples, held_out, strict=True)
        ]

    def _choose(self, sampled: Tensor, generator: torch.Generator) -> Tensor:
        """Choose a share of what is True, along one axis or two, outside the centre."""
        candidates = sampled & ~_outer([_centre(n, self.n_centre) for n in sampled.shape])
        n_held_out = max(1, round(self.ratio * int(sampled.sum())))
        if n_held_out > int(candidates.sum()):
            raise ValueError(
                f"{n_held_out} of {int(sampled.sum())} sampled {self.split} are to be held out, but only "
                f"{int(candidates.sum())} lie outside the centre of {self.n_centre}; lower ratio or n_centre"
            )
        weights = candidates * (_gaussian(sampled.shape) if self.density == "gaussian" else 1.0)
        chosen = torch.multinomial(weights.flatten().double(), n_held_out, generator=generator)
        return torch.zeros(sampled.numel(), dtype=torch.bool).index_fill(0, chosen, True).reshape(sampled.shape)


def _only(example: Example, kept: Mask) -> Example:
    """The example with no other samples than these."""
    return replace(example, kspace=example.kspace * kept, mask=kept)


def _line_axis(mask: Mask) -> int:
    """The axis along which a mask's lines are counted."""
    axes = undersampled_axes(mask)
    if len(axes) > 1:
        raise ValueError("this mask varies along both axes and has no lines to hold out; set objective.split to points")
    return axes[0] if axes else -1


def _centre(n: int, n_centre: int) -> Tensor:
    inside = torch.zeros(n, dtype=torch.bool)
    inside[central(n, min(n, n_centre))] = True
    return inside


def _gaussian(shape: torch.Size) -> Tensor:
    places = [(torch.arange(n, dtype=torch.float64) - n // 2) / n for n in shape]
    return _outer([torch.exp(-(place / _DEVIATION).square() / 2) for place in places])


def _outer(factors: list[Tensor]) -> Tensor:
    """Product of one vector for each axis."""
    return reduce(lambda product, factor: product[..., None] * factor, factors)
