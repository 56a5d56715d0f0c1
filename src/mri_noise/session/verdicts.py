"""How well a noise map is known, whether its linearisation holds, and what to do where it does not."""

from dataclasses import dataclass

from mri_noise.readings import error_shares, estimate_of, total_error
from mri_noise.result import Result
from mri_noise.variance.sampling.monte_carlo import MonteCarlo

LINEAR, NOT_LINEAR, NOT_CHECKED = "yes", "no", "not checked"

N_REPLICAS = 400
"""Replicas of the Monte Carlo run that is advised: their map is known to 1 / sqrt(2 x 400), 3.5 %."""

_MINUTE, _HOUR = 60.0, 3600.0  # [s]


@dataclass(frozen=True, slots=True)
class Advice:
    """A method that would give the map that the linearisation does not, and the time it would take [s]."""

    variance: MonteCarlo
    seconds: float

    @property
    def words(self) -> str:
        """What it is, in a sentence: ``Monte Carlo with 400 replicas``."""
        return f"Monte Carlo with {self.variance.n_replicas} replicas"

    @property
    def duration(self) -> str:
        """How long it would take: ``about 40 s``."""
        if self.seconds < 2 * _MINUTE:
            return f"about {max(self.seconds, 1):.0f} s"
        unit, name = (_MINUTE, "min") if self.seconds < 2 * _HOUR else (_HOUR, "h")
        return f"about {self.seconds / unit:.0f} {name}"


def is_doubtful(result: Result) -> bool:
    """Whether the map was linearised where the reconstruction is not linear."""
    return result.linearity is not None and not result.linearity.holds


def linear_mark(result: Result) -> str:
    """Whether the linearisation of a result holds, in a word for tables."""
    if result.linearity is None:
        return NOT_CHECKED
    return LINEAR if result.linearity.holds else NOT_LINEAR


def known_to(result: Result, *, briefly: bool = False) -> str:
    """How well the standard deviation is known: ``std known to 2.4 %``, and unless briefly what of that is whose."""
    total = f"std known to {100 * total_error(result):.1f} %{' only' if is_doubtful(result) else ''}"
    shares = error_shares(result)
    if briefly or len(shares) == 1:
        return total
    return f"{total} ({', '.join(f'{name} {100 * share:.1f} %' for name, share in shares.items())})"


def doubt(result: Result, *, briefly: bool = False) -> str:
    """The verdict on a map whose linearisation does not hold, without a full stop; nothing for any other."""
    return f"Not linear at this noise: {known_to(result, briefly=briefly)}" if is_doubtful(result) else ""


def advice(result: Result) -> Advice | None:
    """What is advised where the linearisation does not hold, with its time from what this run took."""
    estimate = estimate_of(result)
    if not is_doubtful(result) or not estimate.n_evaluations:
        return None
    each = result.provenance.seconds / estimate.n_evaluations
    return Advice(MonteCarlo(n_replicas=N_REPLICAS), N_REPLICAS * each)
