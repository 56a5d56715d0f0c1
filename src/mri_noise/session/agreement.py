"""How two noise maps agree, beside what their sampling errors alone would make of maps that are the same."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mri_noise.readings import comparison_of, estimate_of
from mri_noise.report import cost_table
from mri_noise.result import Result
from mri_noise.session.jobs import Snapshot

_BLOCK = 16  # [voxels]
_N_STANDARD_ERRORS = 2.0

BIAS, LOWER, UPPER = "bias", "lower 95 % limit", "upper 95 % limit"

SAME_UNITS = ((BIAS, LOWER, UPPER),)
"""Figures in units of the data."""

MEANINGS = {
    "NRMSE [%]": "rms difference of the maps over the rms of the second, in the object",
    "NRMSE, max [%]": "rms difference of the maps over the largest value of the second, in the object",
    "correlation": "of the maps, voxel by voxel (Pearson)",
    "slope": "of the regression of the first map on the second",
    BIAS: "mean of the first map minus the second",
    LOWER: "2.5 % of the differences lie below, if they are normal (Bland-Altman)",
    UPPER: "2.5 % of the differences lie above, if they are normal (Bland-Altman)",
    "mean z": "mean difference of the variances in units of its standard error",
    "mean z²": "the same, squared: 1 for maps that differ by their sampling errors alone",
}
"""What the figures are."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sigma:
    """A standard deviation map of the magnitude over the object: values and standard errors, each of shape (voxels)."""

    values: Values
    errors: Values

    @property
    def reliability(self) -> float:
        """Share of the variance between voxels that is not sampling error, between 0 and 1."""
        return max(0.0, 1.0 - float(np.mean(self.errors**2) / self.values.var()))


def sigma_of(result: Result, inside: Result) -> Sigma:
    """The standard deviation map of a result over the object of another one of the same image."""
    estimate = estimate_of(result)
    sigma = estimate.variance_magnitude[inside.object].double().sqrt()
    errors = estimate.standard_error_magnitude[inside.object].double() / (2 * sigma.clamp_min(1e-300))
    return Sigma(sigma.numpy(), errors.numpy())


def require_same_image(run: Snapshot, other: Snapshot) -> None:
    """Raise a ValueError if the maps of two runs do not lie on each other."""
    shapes = [tuple(each.result.image.shape) for each in (run, other)]
    if shapes[0] != shapes[1]:
        sizes = " and ".join(f"{rows} x {columns}" for rows, columns in shapes)
        raise ValueError(f"{run.job.name} and {other.job.name} have images of {sizes}; choose two of the same size")


def agreement_table(run: Snapshot, reference: Snapshot) -> pd.DataFrame:
    """Figures of the comparison of two magnitude maps: as found, and as expected if only sampling errors differ.

    Errors in both maps lower their correlation, and those in the reference the slope of the regression on it
    (Spearman 1904, doi:10.2307/1412159).
    """
    c = comparison_of(run.result, reference.result)
    y, x = (sigma_of(each.result, run.result) for each in (run, reference))
    spread = 1.96 * float(np.sqrt(np.mean(x.errors**2 + y.errors**2)))
    correlation = float(np.sqrt(x.reliability * y.reliability))
    rows = {
        "NRMSE [%]": (100 * c.nrmse, 100 * c.expected_nrmse),
        "NRMSE, max [%]": (100 * c.nrmse_max, 100 * c.expected_nrmse * c.nrmse_max / c.nrmse),
        "correlation": (c.pearson, correlation),
        "slope": (c.slope, x.reliability),
        BIAS: (c.bias, 0.0),
        LOWER: (c.limits[0], -spread),
        UPPER: (c.limits[1], spread),
        "mean z": (c.mean_z, 0.0),
        "mean z²": (c.mean_square_z, 1.0),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["found", "expected"])


def costs(run: Snapshot, reference: Snapshot) -> pd.DataFrame:
    """What two runs took, and the sampling error of each: a column a run."""
    table = pd.concat([cost_table([each.result]) for each in (run, reference)], axis=1)
    table.columns = [run.job.name, reference.job.name]
    return table.rename(index={"own error [%]": "sampling error [%]", "peak memory [MB]": "memory [MB]"})


def verdict(run: Snapshot, reference: Snapshot) -> str:
    """Whether the distance of two maps is more than their sampling errors make, by two standard errors of it."""
    found, expected, error = _mean_squares(run.result, reference.result)
    apart, alone = 100 * found**0.5, 100 * expected**0.5
    if found - expected <= _N_STANDARD_ERRORS * error:
        return f"The maps agree: {apart:.1f} % apart, and their sampling errors alone make {alone:.1f} %."
    left = 100 * (found - expected) ** 0.5
    return (
        f"The maps differ: {apart:.1f} % apart, of which their sampling errors make {alone:.1f} %; "
        f"a difference of {left:.1f} % is left."
    )


def _mean_squares(result: Result, reference: Result) -> tuple[float, float, float]:
    """Mean squares of the difference and of its sampling error, and the standard error of the first minus the second.

    All relative to the reference's mean square. Neighbours' errors are correlated, so that blocks of voxels, not
    voxels, count as independent.
    """
    y, x = sigma_of(result, result), sigma_of(reference, result)
    scale = float(np.mean(x.values**2))
    errors = x.errors**2 + (y.errors * y.values / x.values) ** 2  # both of the variance, over twice the reference
    found, expected = (y.values - x.values) ** 2 / scale, errors / scale
    sums = _sums_by_block(found - expected, result.object.numpy())
    deviations = sums - sums.mean()
    n = len(sums)
    error = float(np.sqrt((deviations**2).sum() * n / max(n - 1, 1))) / len(found)
    return float(found.mean()), float(expected.mean()), error


def _sums_by_block(values: Values, inside: NDArray[np.bool_]) -> Values:
    rows, columns = np.nonzero(inside)
    blocks = (rows // _BLOCK) * (inside.shape[1] // _BLOCK + 1) + columns // _BLOCK
    _, number = np.unique(blocks, return_inverse=True)
    return np.bincount(number, weights=values).astype(np.float64)
