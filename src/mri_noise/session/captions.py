"""What stands on screen beside a map: how it was made."""

from mri_noise.report import estimate_of, map_error
from mri_noise.result import Result
from mri_noise.session.models import title_of_model
from mri_noise.variance.exact import Exact
from mri_noise.variance.maps import acceleration
from mri_noise.variance.replica import MonteCarlo
from mri_noise.variance.sketch import Sketch

_GAP = "   "


def caption(result: Result) -> str:
    """One line on the image and one on its map: how each was made, and how well the map is known."""
    lines = [_of_image(result)] if result.estimate is None else [_of_image(result), _of_map(result)]
    return "\n".join(lines)


def _of_image(result: Result) -> str:
    choices = result.experiment
    parts = [result.provenance.label, f"R = {acceleration(result.mask):.2f}", title_of_model(choices.reconstruction)]
    if choices.noise_scale != 1:
        parts.append(f"noise x {choices.noise_scale:g}")
    if choices.added_noise > 0:
        parts.append(f"noise added x {choices.added_noise:g}")
    return _GAP.join(parts)


def _of_map(result: Result) -> str:
    n_samples = estimate_of(result).n_samples
    parts = [reached(result), f"seed {result.experiment.seed}"]
    if n_samples > 1:
        parts.append(f"map error {100 * map_error(result):.1f} %")
    return _GAP.join(parts)


def reached(result: Result) -> str:
    """How many samples are in, and of how many unless that is all."""
    estimate = estimate_of(result)
    if estimate.only_first_look:
        return "first look"
    total = "" if estimate.complete else f" of {estimate.n_total}"
    return f"{estimate.n_samples}{total} {samples_of(result)}"


def samples_of(result: Result) -> str:
    """What the samples of a variance method are called."""
    variance = result.experiment.variance
    if isinstance(variance, Sketch):
        return "probes"
    if isinstance(variance, MonteCarlo):
        return "replicas"
    plan = estimate_of(result).plan
    if plan is not None and plan.lattice is None:
        return "forward products"
    return "voxels" if isinstance(variance, Exact) else "colours"


def seconds_left(result: Result) -> float:
    """The time that the samples to come take [s], if each of their evaluations takes as long as those so far.

    The evaluations that planned a lattice came before its first colour.
    """
    estimate = estimate_of(result)
    plan = estimate.plan
    per_sample = estimate.n_evaluations / estimate.n_samples if plan is None else plan.evaluations_per_product
    n_to_come = per_sample * (estimate.n_total - estimate.n_samples)
    return result.provenance.seconds * n_to_come / estimate.n_evaluations
