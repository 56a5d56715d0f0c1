"""What stands on screen beside a map: how it was made."""

from mri_noise.report import map_error
from mri_noise.result import Result
from mri_noise.variance.maps import acceleration


def caption(result: Result) -> str:
    """Slice, acceleration, reconstruction, method, number of samples, seed and the map's own error."""
    choices = result.experiment
    parts = [result.provenance.label, f"R = {acceleration(result.mask):.2f}", choices.reconstruction.kind]
    if choices.noise_scale != 1:
        parts.append(f"noise x {choices.noise_scale:g}")
    if result.estimate is not None:
        parts += [f"{choices.variance.kind}, {result.estimate.n_samples} samples", f"seed {choices.seed}"]
        if result.estimate.n_samples > 1:
            parts.append(f"map error {100 * map_error(result):.1f} %")
    return "   ".join(parts)
