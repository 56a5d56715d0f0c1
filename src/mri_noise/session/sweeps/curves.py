"""How the error of a map falls with what was spent on it."""

from collections.abc import Iterator
from dataclasses import dataclass

from mri_noise.readings import map_error
from mri_noise.result import Result
from mri_noise.session.jobs import Snapshot

_LEAST = 4  # samples: a standard error from fewer says little


@dataclass(frozen=True, slots=True)
class Curve:
    """A map's own relative error [%] after so many evaluations."""

    evaluations: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()

    def extended(self, result: Result) -> "Curve":
        """The curve with one more snapshot; without, if that has no error or brings nothing new."""
        estimate = result.estimate
        if estimate is None or estimate.n_samples < _LEAST or estimate.n_evaluations in self.evaluations[-1:]:
            return self
        return Curve((*self.evaluations, estimate.n_evaluations), (*self.errors, 100 * map_error(result)))


@dataclass(frozen=True, slots=True)
class Traced:
    """A snapshot, and the curve of its run up to it."""

    snapshot: Snapshot
    curve: Curve


def traced(steps: Iterator[Snapshot]) -> Iterator[Traced]:
    """Follow the error of a run at each of its snapshots, also those that a window has no time for."""
    curve = Curve()
    for snapshot in steps:
        curve = curve.extended(snapshot.result)
        yield Traced(snapshot, curve)
