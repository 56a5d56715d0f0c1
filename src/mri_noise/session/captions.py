"""What stands on screen beside a map: how it was made."""

from collections.abc import Sequence

from mri_noise.readings import estimate_of
from mri_noise.result import Result
from mri_noise.session.verdicts import doubt, is_doubtful, known_to
from mri_noise.variance.maps import acceleration

_GAP = "   "
_IMAGES = frozenset({"reference", "zero_filled", "reconstruction", "error"})
"""What is seen of a result that is no map of its noise."""
_DERIVED = frozenset({"correlation", "film"})
"""What follows from the derivative alone, without samples."""


def caption(result: Result, key: str = "std", name: str = "") -> str:
    """How what is seen was made, and how well it is known: a line on the image, and one on its map.

    Parameters
    ----------
    key
        What is seen of the result: an image says nothing of the map, and a map without a linearisation that holds says
        so first.
    name
        What the run is called, and its scan where there are several.
    """
    image = _of_image(result, key, name)
    if result.estimate is None or key in _IMAGES:
        return image
    lines = [doubt(result, briefly=True), image, "" if key in _DERIVED else _of_map(result)]
    return "\n".join(line for line in lines if line)


def _of_image(result: Result, key: str, name: str) -> str:
    choices = result.experiment
    parts = [name, result.provenance.label]
    if key == "reference":
        return _joined([*parts, "fully sampled"])
    parts += [f"R = {acceleration(result.mask):.2f}"]
    parts += ["zero-filled" if key == "zero_filled" else choices.reconstruction.label]
    if choices.noise_scale != 1:
        parts.append(f"noise x {choices.noise_scale:g}")
    if choices.added_noise > 0:
        parts.append(f"noise added x {choices.added_noise:g}")
    return _joined(parts)


def _of_map(result: Result) -> str:
    silent = estimate_of(result).n_samples < 2 or is_doubtful(result)  # which the first line says
    known = "" if silent else known_to(result, briefly=True)
    return _joined([reached(result), f"seed {result.experiment.seed}", known])


def _joined(parts: Sequence[str]) -> str:
    return _GAP.join(part for part in parts if part)


def reached(result: Result) -> str:
    """How many samples are in, and of how many unless that is all."""
    estimate = estimate_of(result)
    if estimate.only_first_look:
        return "first look"
    total = "" if estimate.complete else f" of {estimate.n_total}"
    return f"{estimate.n_samples}{total} {samples_of(result)}"


def samples_of(result: Result) -> str:
    """What the samples of a variance method are called."""
    plan = estimate_of(result).plan
    without_lattice = plan is not None and plan.lattice is None
    return "forward products" if without_lattice else result.experiment.variance.sample_name


def seconds_left(result: Result) -> float:
    """The time that the samples to come take [s], if each of their evaluations takes as long as those so far.

    The evaluations that planned a lattice came before its first colour.
    """
    estimate = estimate_of(result)
    plan = estimate.plan
    per_sample = estimate.n_evaluations / estimate.n_samples if plan is None else plan.evaluations_per_product
    n_to_come = per_sample * (estimate.n_total - estimate.n_samples)
    return result.provenance.seconds * n_to_come / estimate.n_evaluations
