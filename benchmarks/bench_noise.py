"""How true the noise is that is said after whitening: std said over std true, by coils and noise samples.

Simulated coils of correlated noise and of levels that differ threefold; the noise of an optimal combination of all
coils of one voxel (R = 1), and of one that separates four aliased voxels (R = 4). "Plug-in" whitens by a covariance
and takes what is left of it for white, "now" is :func:`mri_noise.acquisition.noise.whitening_matrix`. In the last table
it is measured: noise of image corners, whitened by one half of its samples and measured with the other. ``SCANS...``
are fully sampled files.
"""

from pathlib import Path

import pandas as pd
import torch
from record import parser_of, record

from mri_noise.acquisition.noise import Noise, noise_from_samples, whitening_matrix
from mri_noise.io.formats import open_scan
from mri_noise.operators.fourier import centered_ifft

COILS = (1, 2, 4, 8, 16, 32, 64)
DENSE = 2**22
"""Most numbers in the noise samples of one draw; more samples are drawn in parts."""


def correlated(n_coils: int) -> torch.Tensor:
    """Correlations that fall with the distance on a ring."""
    steps = torch.arange(n_coils, dtype=torch.float64)
    apart = (steps[:, None] - steps).abs()
    levels = 3 ** (steps / n_coils)
    return (0.4 ** torch.minimum(apart, n_coils - apart) * levels[:, None] * levels).to(torch.complex128)


def ratio(psi: torch.Tensor, said: torch.Tensor, matrix: torch.Tensor, maps: torch.Tensor) -> float:
    """Std said over std true of a combination that takes the whitened coils for white."""
    mixed = matrix @ maps
    weights = torch.linalg.solve(mixed.mH @ mixed, mixed.mH)
    variances = [(weights @ each @ weights.mH).diagonal().real[0] for each in (said, matrix @ psi @ matrix.mH)]
    return float((variances[0] / variances[1]).sqrt())


def plug_in(noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
    """Whitening by the whole covariance, and the white noise that is said to be left."""
    matrix, white = whitening_matrix(Noise(noise.covariance, noise.source))
    return matrix, white.covariance


def simulated(n_draws: int) -> pd.DataFrame:
    """A row for each number of coils and samples: root mean of said over true variance, and what is stated of it."""
    rows = []
    for n_coils in COILS:
        for n_samples in sorted({4 * n_coils, 16 * n_coils, 4096, 100_000}):
            draws = max(4, min(n_draws, DENSE * 8 // (n_coils * n_samples)))
            rows.append(_row(n_coils, n_samples, draws))
    return pd.DataFrame(rows)


def _row(n_coils: int, n_samples: int, n_draws: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(1000 * n_coils + n_samples)
    psi = correlated(n_coils)
    root = torch.linalg.cholesky(psi)
    found: dict[str, list[float]] = {f"{way}, R = {r}": [] for r in (1, min(4, n_coils)) for way in ("plug-in", "now")}
    for _ in range(n_draws):
        samples = root @ torch.randn(n_coils, n_samples, generator=generator, dtype=torch.complex128)
        noise = noise_from_samples(samples, "simulated")
        matrix, after = whitening_matrix(noise)
        for aliased in {1, min(4, n_coils)}:
            maps = torch.randn(n_coils, aliased, generator=generator, dtype=torch.complex128)
            former, white = plug_in(noise)
            found[f"plug-in, R = {aliased}"].append(ratio(psi, white, former, maps))
            found[f"now, R = {aliased}"].append(ratio(psi, after.covariance, matrix, maps))
    columns = {name: float(torch.tensor(values).square().mean().sqrt()) for name, values in found.items()}
    scatter = float(torch.tensor(found["now, R = 1"]).std())
    error = scatter / n_draws**0.5
    return {
        "coils": n_coils, "samples": n_samples, "draws": n_draws, **columns,
        "its standard error": error, "scatter of a draw": scatter, "stated": after.uncertainty,
    }  # fmt: skip


def measured(paths: list[Path]) -> pd.DataFrame:
    """Std of one half of the corners in coils that the other half whitens, over what is said of it."""
    rows = []
    for path in paths:
        images = centered_ifft(open_scan(path)[0].kspace.to(torch.complex128))
        corners = _corners(images, 0.1)
        for n_samples in sorted({4 * len(images), corners.shape[1] // 2}):
            rows.append({"scan": path.name, "coils": len(images), "samples": n_samples} | _halves(corners, n_samples))
    return pd.DataFrame(rows)


def _corners(images: torch.Tensor, fraction: float) -> torch.Tensor:
    height, width = (max(1, round(fraction * n)) for n in images.shape[1:])
    rows, columns = (slice(height), slice(-height, None)), (slice(width), slice(-width, None))
    return torch.cat([images[:, r, c].flatten(1) for r in rows for c in columns], dim=1)


def _halves(corners: torch.Tensor, n_samples: int, n_draws: int = 50) -> dict[str, float]:
    """Average over random choices of the samples that are used; the others measure."""
    generator, said = torch.Generator().manual_seed(0), {"plug-in": 0.0, "now": 0.0}
    for _ in range(n_draws):
        order = torch.randperm(corners.shape[1], generator=generator)
        used, others = corners[:, order[:n_samples]], corners[:, order[n_samples:]]
        noise = noise_from_samples(used, "measured")
        matrix, after = whitening_matrix(noise)
        former, white = plug_in(noise)
        for name, mixing, covariance in (("plug-in", former, white), ("now", matrix, after.covariance)):
            power = (mixing @ others).abs().square().mean()
            said[name] += float(covariance.diagonal().real.mean() / power) / n_draws
    return {name: value**0.5 for name, value in said.items()}


def main() -> None:
    parser = parser_of(__doc__, "noise")
    parser.add_argument("scans", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=400)
    arguments = parser.parse_args()
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.precision", 4):
        tables = {"simulated": simulated(arguments.draws)}
        print(tables["simulated"].to_string(index=False))
        if arguments.scans:
            tables["measured"] = measured(arguments.scans)
            print(tables["measured"].to_string(index=False))
    record(arguments.json, tables)


if __name__ == "__main__":
    main()
