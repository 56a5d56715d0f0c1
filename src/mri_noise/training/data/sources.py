"""The data of a training: where they come from, how they are split, and what is drawn from them."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from mri_noise.settings import Settings
from mri_noise.training.data.cache import AcquisitionCache
from mri_noise.training.data.draws import Draws
from mri_noise.training.data.scans import Scans
from mri_noise.training.data.simulated import Simulated
from mri_noise.training.data.stream import ExampleStream, FirstExamples
from mri_noise.training.example import AcquisitionSet

Source = Annotated[Simulated | Scans, Field(discriminator="kind")]
_SPLIT, _TRAINING, _VALIDATION = range(3)


@dataclass(frozen=True, slots=True)
class Datasets:
    """What a training draws from.

    Attributes
    ----------
    training
        Endless.
    validation
        A fixed number of examples, of other subjects, each drawn when it is first asked for and then kept.
    """

    training: ExampleStream
    validation: FirstExamples

    def require_labels(self) -> "Datasets":
        """Return the same data without undersampled acquisitions among the labelled ones.

        Raises
        ------
        ValueError
            If no training example would be labelled.
        """
        if self.training.unlabelled_share == 1:
            raise ValueError(
                "this objective needs labelled examples, and there are none; set data.n_labelled to 1 or more and "
                "data.unlabelled_share to less than 1, or choose an objective that needs no labels"
            )
        training = replace(self.training, needs_labels=True)
        validation = replace(self.validation, stream=replace(self.validation.stream, needs_labels=True), drawn={})
        training.acquisition(True, 0)
        return Datasets(training, validation)


class Data(Settings):
    """Scans or simulations, split by subject into training with labels, training without, and validation."""

    source: Source = Field(Simulated(), description="Where the acquisitions come from")
    draws: Draws = Field(Draws(), description="What differs between the examples of one acquisition")
    n_validation_subjects: int | None = Field(
        None, ge=1, description="Subjects kept for validation; none: a tenth of them, at least one"
    )
    n_validation: int = Field(16, ge=1, description="Number of validation examples")
    n_labelled: int | None = Field(None, ge=0, description="Training subjects with labels; none: all")
    n_unlabelled: int | None = Field(
        None, ge=0, description="Further training subjects, whose labels are not used; none: all that are left"
    )
    unlabelled_share: float = Field(
        0.5, ge=0, le=1, description="Share of training examples without labels, where there are subjects of both kinds"
    )
    cache: Path | None = Field(None, description="Folder for read or simulated acquisitions; none: the user's cache")
    strict: bool = Field(False, description="A file that cannot be used is an error, not a warning")

    def open(self, seed: int) -> Datasets:
        """Find the acquisitions and split them.

        Raises
        ------
        ValueError
            If there are no acquisitions or too few subjects, in one sentence.
        """
        acquisitions = self._acquisitions()
        split = self._split(acquisitions.subjects, seed)
        share = self.unlabelled_share if split.labelled and split.unlabelled else float(not split.labelled)
        training = ExampleStream(
            acquisitions=acquisitions,
            labelled=split.labelled,
            unlabelled=split.unlabelled,
            unlabelled_share=share,
            draws=self.draws,
            seed=(seed, _TRAINING),
            strict=self.strict,
        )
        validation = replace(
            training,
            labelled=split.validation,
            unlabelled=(),
            unlabelled_share=0.0,
            seed=(seed, _VALIDATION),
            skipped=set(),
        )
        return Datasets(training, FirstExamples(validation, self.n_validation))

    def _acquisitions(self) -> AcquisitionSet:
        cache = AcquisitionCache(self.cache or user_cache())
        return self.source(cache, self.strict) if isinstance(self.source, Scans) else self.source(cache)

    def _split(self, subjects: tuple[str, ...], seed: int) -> "_Split":
        """Shuffle the subjects: first come those for validation, then those with labels, then those without."""
        known = np.array(sorted(set(subjects)))
        shuffled = np.random.default_rng([seed, _SPLIT]).permutation(known).tolist()
        n_validation = self.n_validation_subjects or max(1, len(shuffled) // 10)
        training = shuffled[n_validation:]
        n_labelled = len(training) if self.n_labelled is None else self.n_labelled
        _require_subjects(max(n_labelled + (self.n_unlabelled or 0), 1), len(training), n_validation)
        split = _Split(
            labelled=_numbers(subjects, training[:n_labelled]),
            unlabelled=_numbers(subjects, training[n_labelled:][: self.n_unlabelled]),
            validation=_numbers(subjects, shuffled[:n_validation]),
        )
        if not split.labelled and not split.unlabelled:
            raise ValueError("no subject is left to train with; raise data.n_labelled or data.n_unlabelled")
        return split


@dataclass(frozen=True, slots=True)
class _Split:
    """Numbers of acquisitions."""

    labelled: tuple[int, ...]
    unlabelled: tuple[int, ...]
    validation: tuple[int, ...]


def user_cache() -> Path:
    """Return the folder for what can be made again (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "napari-mri-noise" / "acquisitions"


def _numbers(subjects: tuple[str, ...], chosen: list[str]) -> tuple[int, ...]:
    """Numbers of the acquisitions of some subjects."""
    members = set(chosen)
    return tuple(number for number, subject in enumerate(subjects) if subject in members)


def _require_subjects(n_wanted: int, n_training: int, n_validation: int) -> None:
    if n_wanted > n_training:
        raise ValueError(
            f"{n_wanted} subjects to train with and {n_validation} for validation are wanted, but there are "
            f"{n_training + n_validation}; give more scans, or lower data.n_labelled, data.n_unlabelled or "
            "data.n_validation_subjects"
        )
