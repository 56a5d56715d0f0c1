"""Endless examples by number, drawn from a set of acquisitions."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from torch.utils.data import Dataset

from mri_noise.training.data.draws import Draws
from mri_noise.training.data.scans import UnusableScan
from mri_noise.training.example import Acquisition, AcquisitionSet, Example
from mri_noise.training.geometry import has_gaps

_log = logging.getLogger(__name__)
_SEED, _ORDER, _UNLABELLED_ORDER = range(3)


@dataclass(frozen=True)
class ExampleStream(Dataset[Example]):
    """Example i for any i >= 0, a pure function of ``seed`` and i.

    Each pass over the labelled acquisitions is a permutation of its own, and so is each over the unlabelled ones; the
    two take turns, as evenly as ``unlabelled_share`` allows. In the place of an acquisition that cannot be used comes
    the next of its pass, with a warning.

    Attributes
    ----------
    acquisitions
    labelled, unlabelled
        Which of them are drawn from.
    unlabelled_share
        Share of the examples without labels; one of the two kinds has to take all if there are none of the other.
    draws
    seed
        Several integers, so that each stream of a training has a seed of its own.
    strict
        Whether an acquisition that cannot be used is an error.
    needs_labels
        Whether a labelled example without a target, of an undersampled acquisition, cannot be used.
    skipped
        Numbers of acquisitions that were found to be of no use, so that each is read and warned of once.
    """

    acquisitions: AcquisitionSet
    labelled: tuple[int, ...]
    unlabelled: tuple[int, ...]
    unlabelled_share: float
    draws: Draws
    seed: tuple[int, ...]
    strict: bool = False
    needs_labels: bool = False
    skipped: set[int] = field(default_factory=set, compare=False)

    def __getitem__(self, index: int) -> Example:
        """Draw an example; ValueError if no acquisition can be used, or if ``strict`` and one cannot."""
        if index < 0:
            raise IndexError(f"examples are numbered from 0, got {index}")
        labelled, position = self._turn(index)
        (seed,) = np.random.SeedSequence([*self.seed, _SEED, index]).generate_state(1, np.uint64)
        return self.draws(self.acquisition(labelled, position), int(seed >> np.uint64(1)), labelled)

    def acquisition(self, labelled: bool, position: int) -> Acquisition:
        """Return the acquisition at a position of the passes over the labelled or the unlabelled ones.

        Raises
        ------
        ValueError
            If none of them can be used, or if ``strict`` and this one cannot.
        """
        numbers = self.labelled if labelled else self.unlabelled
        cycle, start = divmod(position, len(numbers))
        order = _permutation((*self.seed, _ORDER if labelled else _UNLABELLED_ORDER, cycle), len(numbers))
        for place in (*order[start:], *order[:start]):
            found = self.usable(numbers[place], self.needs_labels and labelled)
            if found is not None:
                return found
        kind = "labelled" if labelled else "unlabelled"
        raise ValueError(f"none of the {len(numbers)} {kind} acquisitions can be used; see the warnings")

    def _turn(self, index: int) -> tuple[bool, int]:
        """Whether an example is labelled, and how many of its kind come before it."""
        n_unlabelled, and_this = (math.floor(n * self.unlabelled_share) for n in (index, index + 1))
        return (True, index - n_unlabelled) if and_this == n_unlabelled else (False, n_unlabelled)

    def usable(self, number: int, with_target: bool) -> Acquisition | None:
        """Return an acquisition; None, with a warning, if it cannot be used; ValueError instead if ``strict``."""
        if number in self.skipped:
            return None
        try:
            acquisition = self.acquisitions[number]
            if with_target and has_gaps(acquisition):
                subject = self.acquisitions.subjects[number]
                raise UnusableScan(f"an acquisition of '{subject}' is undersampled, and gives no label to train with")
        except UnusableScan as error:
            if self.strict:
                raise
            self.skipped.add(number)
            _log.warning("skipped: %s", error)
            return None
        return acquisition


@lru_cache(maxsize=8)
def _permutation(seed: tuple[int, ...], n: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng(seed).permutation(n).tolist())


@dataclass(frozen=True)
class FirstExamples(Dataset[Example]):
    """The first examples of a stream, each drawn once."""

    stream: ExampleStream
    n_examples: int
    drawn: dict[int, Example] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return self.n_examples

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(self.n_examples))

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.n_examples:
            raise IndexError(f"example {index} is not among the first {self.n_examples}")
        if index not in self.drawn:
            self.drawn[index] = self.stream[index]
        return self.drawn[index]
