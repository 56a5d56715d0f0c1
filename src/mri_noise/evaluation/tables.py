"""The tables of an evaluation, and how they are written."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mri_noise.atomic import replacing
from mri_noise.evaluation.rows import MapCost, NoiseAgreement, Row
from mri_noise.training.loop.metrics import Quality

CASE = ["scan", "slice", "mask", "acceleration"]
GAIN = "gain over best classical [dB]"


def row_table(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a case and method."""
    return with_gains(pd.DataFrame([_cells(row) for row in rows]))


def with_gains(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the gain of each row: its PSNR less the highest one of the classical methods on the same case."""
    best = table["PSNR [dB]"].where(table["classical"]).groupby([table[name] for name in CASE]).transform("max")
    table = table.drop(columns=GAIN, errors="ignore")
    table.insert(list(table.columns).index("PSNR [dB]") + 1, GAIN, table["PSNR [dB]"] - best)
    return table


def _cells(row: Row) -> dict[str, str | float | bool]:
    nan = float("nan")
    quality = Quality(nan, nan, nan) if row.quality is None else row.quality
    return {
        "scan": row.case.scan.name,
        "slice": row.case.scan.labels[row.case.index],
        "mask": row.case.kind,
        "acceleration": row.case.acceleration,
        "net acceleration": row.net_acceleration,
        "method": row.method,
        "classical": row.classical,
        "PSNR [dB]": quality.psnr,
        "SSIM": quality.ssim,
        "NRMSE [%]": 100 * quality.nrmse,
        "weight": nan if row.weight is None else row.weight,
        "reconstruction [s]": nan if row.seconds is None else row.seconds,
        **_noise_cells(row.noise),
        "problem": row.problem,
    }


def _noise_cells(noise: NoiseAgreement | None) -> dict[str, int | float]:
    """The standard deviation maps of the magnitude, over the object, and what they took."""
    if noise is None:
        return {}
    c = noise.comparison
    return {
        "std Pearson": c.pearson,
        "std NRMSE by rms [%]": 100 * c.nrmse,
        "std NRMSE expected [%]": 100 * c.expected_nrmse,
        "std NRMSE by max [%]": 100 * c.nrmse_max,
        **_cost_cells("sketch", noise.sketch),
        **_cost_cells("Monte Carlo", noise.monte_carlo),
    }


def _cost_cells(name: str, cost: MapCost) -> dict[str, int | float]:
    return {
        f"{name} evaluations": cost.n_evaluations,
        f"{name} [s]": cost.seconds,
        f"{name} peak memory [MB]": cost.peak_memory / 1e6,
    }


def summary_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a method, over its cases: mean quality, and mean and least gain over the best classical method."""
    methods = rows.groupby("method", sort=False)
    table = methods.agg(
        **{
            "cases": ("PSNR [dB]", "count"),
            "problems": ("problem", lambda each: int((each != "").sum())),
            "mean PSNR [dB]": ("PSNR [dB]", "mean"),
            "mean SSIM": ("SSIM", "mean"),
            "mean NRMSE [%]": ("NRMSE [%]", "mean"),
            "mean gain [dB]": (GAIN, "mean"),
            "least gain [dB]": (GAIN, "min"),
        }
    ).reset_index()
    table["case of least gain"] = [_where_least(rows[rows["method"] == name]) for name in table["method"]]
    return table


def _where_least(rows: pd.DataFrame) -> str:
    rows = rows[rows[GAIN].notna()]
    return "" if rows.empty else ", ".join(str(value) for value in rows[CASE].iloc[rows[GAIN].argmin()])


def psnr_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a case, one column a method: PSNR [dB]."""
    wide = rows.pivot_table(index=CASE, columns="method", values="PSNR [dB]", sort=False)
    return wide.reset_index().rename_axis(None, axis="columns")


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers to four digits."""
    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [[_text(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def write_markdown(tables: Sequence[pd.DataFrame], path: Path) -> None:
    """Write tables as Markdown, one below the other, whole or not at all."""
    with replacing(path) as draft:
        draft.write("\n".join(markdown(table) for table in tables).encode())


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"  # noqa: PLR0124
    return str(value).replace("|", "\\|")
