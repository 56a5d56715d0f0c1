"""From results to what a person reads: tables and figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from numpy.typing import NDArray
from torch import Tensor

from mri_noise.acquisition.noise import Noise
from mri_noise.acquisition.noise_sources import MeasuredNoise
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.atomic import replacing
from mri_noise.io.samples import counted
from mri_noise.readings import comparison_of, estimate_of, g_factor_of, in_object, map_error, prior_share, total_error
from mri_noise.recon.weights.checkpoint import read_training
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, ShippedName, shipped_weights
from mri_noise.result import Result
from mri_noise.signals import held
from mri_noise.variance.compare import Comparison
from mri_noise.variance.estimate import CHANNELS, Channel
from mri_noise.variance.maps import acceleration, snr

MAP_COLOURS = "inferno"
DIFFERENCE_COLOURS = "RdBu_r"
_COMPARED = ("magnitude", "complex")
_UNKNOWN = "0.85"
"""The gray of voxels without a value."""


def scan_table(scan: Scan) -> pd.DataFrame:
    """What a scan holds, and what its first slice says."""
    first = scan[0]
    size = "unknown" if scan.voxel_size is None else " x ".join(f"{length:.3g}" for length in scan.voxel_size)
    facts = {
        "name": scan.name,
        "layout": scan.layout,
        **_measurement(scan),
        "slices": counted(scan.labels),
        "coils": scan.n_coils,
        "rows x columns": f"{scan.matrix[0]} x {scan.matrix[1]}",
        "phase-encode axes": ", ".join({-2: "rows", -1: "columns"}[axis] for axis in scan.phase_encode_axes),
        "slice x row x column [mm]": size,
        "sampled": f"{100 * float(first.mask.float().mean()):.1f} %, R = {acceleration(first.mask):.2f}",
        **_noise_facts(first),
        "coil maps": "none" if first.coil_maps is None else "in the file",
        "reference image": "none" if first.reference is None else "in the file",
        "largest |k-space|": f"{float(first.kspace.abs().max()):.3g}",
        "remarks": "; ".join(first.remarks) or "none",
        "fingerprint": scan.fingerprint,
    }
    return pd.DataFrame({"fact": facts.keys(), "value": [str(value) for value in facts.values()]})


def _noise_facts(first: Slice) -> dict[str, str]:
    """What a run of a slice takes for its noise if nothing else is chosen."""
    try:
        noise = MeasuredNoise()(first.kspace, first.mask, first.noise)
    except ValueError as error:
        return {"noise": f"not known: {error}"}
    return {"noise": noise.source, "noise samples": _known_from(noise), "noise level": f"{noise.level:.4g}"}


def _known_from(noise: Noise) -> str:
    """How many samples a covariance was estimated from, and how well it is known."""
    if noise.n_samples is None:
        return "not known: taken to be exact"
    return f"{noise.n_samples}, so that a std is known to {100 * noise.uncertainty:.2g} %"


def _measurement(scan: Scan) -> dict[str, str]:
    """Which measurement of the file it is, and what the others are, where the format has any."""
    chosen = {"measurement": scan.choice} if scan.choice else {}
    return {**chosen, "the file holds": "; ".join(scan.contents)} if len(scan.contents) > 1 else chosen


def shipped_table() -> pd.DataFrame:
    """One row for each trained network that comes with the package; image quality is that of its validation."""
    return pd.DataFrame([_shipped(name) for name in SHIPPED_NAMES])


def _shipped(name: ShippedName) -> dict[str, str | int | float]:
    with shipped_weights(name) as path:
        training, size = read_training(path), path.stat().st_size
    recipe, validation = training["recipe"], training["validation"]
    return {
        "model": name,
        "network": recipe["network"]["kind"],
        "objective": recipe["objective"]["kind"],
        "examples": training["n_examples"],
        "PSNR [dB]": validation["psnr"],
        "SSIM": validation["ssim"],
        "size [MB]": size / 1e6,
    }


def summary_table(results: Sequence[Result]) -> pd.DataFrame:
    """One row a slice: the noise of its image over the object, and what it took to know it."""
    return pd.DataFrame([_summary(result) for result in results])


def _summary(result: Result) -> dict[str, str | int | float]:
    estimate = estimate_of(result)
    inside = result.object
    sigma = estimate.variance_magnitude.sqrt()
    g = g_factor_of(result)[inside].numpy()
    planned = estimate.plan if estimate.channels.keys() == {"magnitude"} else None
    bound = float("nan") if planned is None else 100 * planned.total_bound
    return {
        **({"measurement": result.provenance.measurement} if result.provenance.measurement else {}),
        "slice": result.provenance.label,
        "R": round(acceleration(result.mask), 2),
        "reconstruction": result.experiment.reconstruction.short_name,
        "method": result.experiment.variance.kind,
        "plan": "none" if estimate.plan is None else estimate.plan.words,
        "samples": estimate.n_samples,
        "median std": float(sigma[inside].median()),
        "median SNR": float(snr(result.image, estimate.variance_magnitude)[inside].median()),
        "median g": float(np.median(g)),
        "95 % g": float(np.percentile(g, 95)),
        "map error [%]": 100 * map_error(result),
        "95 % bound of map error [%]": bound,
        "total error [%]": 100 * total_error(result),
        "prior dominates [%]": 100 * prior_share(result),
        "linearity": "not needed" if result.linearity is None else result.linearity.verdict,
        "derivative": "not needed" if result.linearity is None else result.linearity.arithmetic,
        "noise": result.noise.source,
        "noise samples": _known_from(result.noise),
        "noise level": result.noise.level,
        "not in coil maps [%]": float("nan") if result.unexplained is None else 100 * result.unexplained,
        "remarks": "; ".join(result.provenance.remarks) or "none",
        "evaluations": estimate.n_evaluations,
        "seconds": result.provenance.seconds,
        "peak memory [MB]": result.provenance.peak_memory / 1e6,
    }


def roi_table(results: Sequence[Result]) -> pd.DataFrame:
    """One row a region and slice: its mean and the exact error bar of that mean."""
    return pd.DataFrame(
        [
            {
                "slice": result.provenance.label,
                "region": roi.name,
                "voxels": roi.noise.n_voxels,
                "mean magnitude": roi.noise.mean_magnitude,
                "std of mean magnitude": roi.noise.standard_deviation_magnitude,
                "std of complex mean": roi.noise.standard_deviation,
            }
            for result in results
            for roi in result.rois
        ]
    )


def comparison_table(result: Result, reference: Result) -> pd.DataFrame:
    """Figures of the comparison of two standard deviation maps: a column for the magnitude, and one for the complex."""
    both = estimate_of(result).channels.keys() & estimate_of(reference).channels.keys()
    shown: list[Channel] = [channel for channel in CHANNELS if channel in both and channel in _COMPARED]
    columns = {channel: comparison_of(result, reference, channel=channel) for channel in shown}
    return pd.DataFrame({f"{channel} std": _comparison_rows(each) for channel, each in columns.items()})


def _comparison_rows(c: Comparison) -> dict[str, float]:
    return {
        "NRMSE by rms, object [%]": 100 * c.nrmse,
        "  expected from both standard errors [%]": 100 * c.expected_nrmse,
        "NRMSE by max, object [%]": 100 * c.nrmse_max,
        "NRMSE by rms, image [%]": 100 * c.nrmse_image,
        "NRMSE by max, image [%]": 100 * c.nrmse_max_image,
        "Pearson correlation": c.pearson,
        "regression slope": c.slope,
        "Bland-Altman bias": c.bias,
        "Bland-Altman lower limit": c.limits[0],
        "Bland-Altman upper limit": c.limits[1],
        "mean z": c.mean_z,
        "mean z^2": c.mean_square_z,
        "voxels in object": float(c.n_voxels),
    }


def cost_table(results: Sequence[Result]) -> pd.DataFrame:
    """What each result took: a column a method."""
    return pd.DataFrame(
        {
            result.experiment.variance.kind: {
                "samples": estimate_of(result).n_samples,
                "evaluations": estimate_of(result).n_evaluations,
                "seconds": result.provenance.seconds,
                "peak memory [MB]": result.provenance.peak_memory / 1e6,
                "own error [%]": 100 * map_error(result),
                "total error [%]": 100 * total_error(result),
            }
            for result in results
        }
    )


def result_figure(result: Result) -> Figure:
    """Image, noise, SNR and g-factor of one slice."""
    estimate = estimate_of(result)
    sigma = estimate.variance_magnitude.sqrt()
    figure, axes = _grid(2, 3)
    window = (0.0, bright(result.zero_filled.abs(), result.object))
    _panel(axes[0, 0], result.mask.float(), "sampling mask", "gray", (0.0, 1.0), bar=False)
    _panel(axes[0, 1], result.zero_filled.abs(), "zero-filled", "gray", window)
    _panel(axes[0, 2], result.image.abs(), result.experiment.reconstruction.short_name, "gray",
           (0.0, bright(result.image.abs(), result.object)))  # fmt: skip
    _panel(
        axes[1, 0], sigma, "noise std of the magnitude [data units]", MAP_COLOURS, (0.0, bright(sigma, result.object))
    )
    ratio = in_object(result, snr(result.image, estimate.variance_magnitude))
    _panel(axes[1, 1], ratio, "SNR", "viridis", (0.0, bright(ratio, result.object)))
    g = in_object(result, g_factor_of(result))
    _panel(axes[1, 2], g, "g-factor", "turbo", (0.0, max(2.0, bright(g, result.object))))
    figure.suptitle(_headline(result), fontsize=10)
    return figure


def comparison_figure(result: Result, reference: Result) -> Figure:
    """Two standard deviation maps in one window, their difference, and how they agree voxel by voxel."""
    sigma, truth = (estimate_of(each).variance_magnitude.sqrt() for each in (result, reference))
    names = [each.experiment.variance.kind for each in (result, reference)]
    figure, axes = _grid(2, 3)
    window = (0.0, bright(truth, result.object))
    _panel(axes[0, 0], sigma, f"std, {names[0]} ({estimate_of(result).n_samples})", MAP_COLOURS, window)
    _panel(axes[0, 1], truth, f"std, {names[1]} ({estimate_of(reference).n_samples})", MAP_COLOURS, window)
    limit = 0.3 * window[1]
    _panel(axes[0, 2], sigma - truth, "difference", DIFFERENCE_COLOURS, (-limit, limit))
    x, y = truth[result.object].numpy(), sigma[result.object].numpy()
    comparison = comparison_of(result, reference)
    scatter(axes[1, 0], x, y, names, comparison)
    bland_altman(axes[1, 1], x, y, comparison)
    _z_scores(axes[1, 2], result, reference, comparison)
    figure.suptitle(_headline(result), fontsize=10)
    return figure


def draw(figure: Figure, path: Path) -> None:
    """Write a figure to a temporary name, then rename it."""
    with replacing(path) as draft, held():
        figure.savefig(draft, format=path.suffix.lstrip(".") or "png")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV to a temporary name, then rename it."""
    with replacing(path) as draft:
        draft.write(table.to_csv().encode())


def scatter(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], names: Sequence[str], c: Comparison) -> None:
    """Draw a map over its reference, voxel by voxel, with identity and regression."""
    axes.hexbin(x, y, gridsize=60, bins="log", mincnt=1, cmap="viridis")
    axes.axline((0, 0), slope=1, color="0.5", lw=1, label="identity")
    axes.axline((x.mean(), y.mean()), slope=c.slope, color="tab:red", lw=1, label=f"slope {c.slope:.3f}")
    axes.set(xlabel=f"std, {names[1]}", ylabel=f"std, {names[0]}", title=f"Pearson correlation {c.pearson:.4f}")
    axes.legend(fontsize=8)


def bland_altman(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], c: Comparison) -> None:
    """Draw the difference of two maps over their mean, with bias and limits of agreement."""
    axes.hexbin((x + y) / 2, y - x, gridsize=60, bins="log", mincnt=1, cmap="viridis")
    axes.axhline(c.bias, color="tab:red", lw=1, label=f"bias {c.bias:.2g}")
    for limit in c.limits:
        axes.axhline(limit, color="tab:red", lw=1, ls="--")
    axes.set(xlabel="mean of the two", ylabel="difference", title="Bland-Altman, 95 % limits")
    axes.legend(fontsize=8)


def _z_scores(axes: Axes, result: Result, reference: Result, c: Comparison) -> None:
    a, b = estimate_of(result), estimate_of(reference)
    error = (a.standard_error_magnitude**2 + b.standard_error_magnitude**2).sqrt()
    z = ((a.variance_magnitude - b.variance_magnitude) / error)[result.object].numpy()
    grid = np.linspace(-5, 5, 201)
    axes.hist(np.clip(z[np.isfinite(z)], -5, 5), bins=50, density=True, color="0.7")
    axes.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color="tab:red", lw=1, label="standard normal")
    axes.set(xlabel="z of the variances", title=f"mean z {c.mean_z:.2f}, mean z² {c.mean_square_z:.2f}")
    axes.legend(fontsize=8)


def _grid(n_rows: int, n_columns: int) -> tuple[Figure, NDArray[np.object_]]:
    figure = Figure(figsize=(4.2 * n_columns, 4.0 * n_rows), layout="constrained", dpi=100)
    return figure, figure.subplots(n_rows, n_columns)


def _panel(
    axes: Axes, values: Tensor, title: str, colours: str, window: tuple[float, float], *, bar: bool = True
) -> None:
    shown = colormaps[colours].with_extremes(bad=_UNKNOWN)
    drawn = axes.imshow(values.numpy(), cmap=shown, vmin=window[0], vmax=window[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)
    powers = ScalarFormatter()
    powers.set_powerlimits((-2, 4))
    scale = axes.figure.colorbar(drawn, ax=axes, shrink=0.85, format=powers)
    scale.ax.set_visible(bar)  # its place is kept, so that panels align


def bright(values: Tensor, region: Tensor) -> float:
    """Upper end of a window: the 99.5th percentile over a region."""
    return float(np.percentile(values[region].numpy(), 99.5))


def _headline(result: Result) -> str:
    estimate = estimate_of(result)
    return (
        f"{result.provenance.scan}, {result.provenance.label}: "
        f"{result.experiment.undersampling.kind}, R = {acceleration(result.mask):.2f}, "
        f"{estimate.n_samples} samples, seed {result.experiment.seed}, {result.noise.source}"
    )
