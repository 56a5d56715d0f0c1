"""Write docs/evaluation.md: shipped networks beside classical methods on measured brains, where there are any.

The scans are other people's and not part of the project: ../shared/data, or the folder named by the argument.
"""

import hashlib
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mri_noise.evaluation.cases import cases
from mri_noise.evaluation.methods import all_methods
from mri_noise.evaluation.rows import NoiseMaps
from mri_noise.evaluation.rows import evaluate as measure
from mri_noise.evaluation.tables import CASE, GAIN, markdown, psnr_table, row_table, summary_table, with_gains
from mri_noise.experiment import Experiment
from mri_noise.io.fingerprint import fingerprint
from mri_noise.io.formats import open_scan
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, shipped_weights
from mri_noise.recon.weights.weights_file import read_weights
from mri_noise.report import draw, write_table

DOCS = Path(__file__).parent
SCANS = ("brain_t1_7ch.h5", "brain_flash_16ch.h5", "brain_flash_2ch_bodycoil.h5")
MASKS: tuple[str, ...] = ("random-lines", "equispaced", "poisson-disc")
RATES = (4.0, 8.0)
NOISE_SCAN, NOISE_MASKS, NOISE_RATE, N_REPLICAS, N_PROBES = SCANS[1], MASKS[1:], 4.0, 100, 100
KEPT = DOCS.parent / "runs" / "evaluation"
"""What was measured of each method; delete it to measure all anew, as after a change of what is measured."""
_LINEAR = 3
"""Gains up to this are drawn linearly, larger ones logarithmically [dB]."""
NOISE = {
    "scan": "scan",
    "mask": "mask",
    "method": "method",
    "std Pearson": "Pearson",
    "std NRMSE by rms [%]": "NRMSE by rms [%]",
    "std NRMSE expected [%]": "expected [%]",
    "std NRMSE by max [%]": "NRMSE by max [%]",
    "sketch evaluations": "probes",
    "sketch [s]": "sketch [s]",
    "Monte Carlo evaluations": "replicas",
    "Monte Carlo [s]": "replicas [s]",
    "sketch peak memory [MB]": "sketch [MB]",
    "Monte Carlo peak memory [MB]": "replicas [MB]",
}
PAGE = """# Evaluation on measured brains

Three fully sampled scans of two heads (T1-weighted, 7 channels, 256 x 216; FLASH at 3 T, 128 x 128, through 16 channels
and through the two of the body coil), with the noise that they were measured with, undersampled afterwards. Nothing
measured was trained on, but settings of networks and simulation, and the shares of averaged weights, were chosen with
these scans in view. The table is that of

```
mri-noise evaluate SCANS --models {models} --replicas 0 -o OUT
```

CG-SENSE and BART's l1-wavelet have the weight of the highest PSNR of each case, which nobody knows without the answer;
the networks have nothing to tune. All get the same k-space, mask and coil maps, the latter from the few calibration
lines of the mask. PSNR is of the magnitude inside the object, and the reference holds the noise of the measurement,
which bounds it where that is strong (the body coil).

{summary}
![Gain of each method over the best classical one in each case](images/evaluation.png)

PSNR of each case [dB]:

{psnr}
{findings}
## Noise maps

The standard deviation of the magnitude by {probes} probes of the sketch, against {replicas} replicas of Monte Carlo, on
`{noise_scan}` at R = {noise_rate}; "expected" is the difference that the sampling errors of both make alone. More than
that is what linearisation misses. Two CPU cores, which did other work too: compare seconds within a row.

{noise}"""


def evaluate(scans: list[Path], masks: tuple[str, ...], rates: tuple[float, ...], n_replicas: int) -> pd.DataFrame:
    """Evaluate all shipped networks and the classical methods; networks of new weights alone, where that was done."""
    noise_maps = NoiseMaps(n_probes=N_PROBES, n_replicas=n_replicas) if n_replicas else None
    setup = f"{[fingerprint(scan) for scan in scans]} {masks} {rates} {noise_maps}"
    chosen = list(cases([open_scan(scan) for scan in scans], masks, rates))
    tables = []
    for method in all_methods(SHIPPED_NAMES, tune=n_replicas == 0):
        key = hashlib.sha256(setup.encode() + weights_of(method.name)).hexdigest()
        kept = KEPT / f"{method.name} {key[:12]}.csv"
        if not kept.is_file():
            print(f"evaluating {method.name} on {len(chosen)} cases", flush=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_table(row_table(list(measure(chosen, [method], Experiment(), noise_maps))), kept)
        tables.append(pd.read_csv(kept, dtype={"problem": "string"}))
    order = pd.concat(tables, keys=range(len(tables))).reset_index(names=["method number", "case number"])
    in_order = order.sort_values(["case number", "method number"], ignore_index=True)
    return with_gains(in_order.drop(columns=["method number", "case number"]))


def weights_of(method: str) -> bytes:
    """The checksum of a network's weights; nothing for a classical method."""
    if method not in SHIPPED_NAMES:
        return b""
    with shipped_weights(method) as path:
        return read_weights(path).metadata["sha256"].encode()


def gains(rows: pd.DataFrame) -> Figure:
    """Draw the gain of every network in every case."""
    figure = Figure(figsize=(9, 4.2), layout="constrained", dpi=110)
    axes = figure.subplots()
    wide = rows.pivot_table(index=CASE, columns="method", values=GAIN, sort=False)
    for place, name in enumerate(SHIPPED_NAMES):
        x = [i + 0.1 * (place - (len(SHIPPED_NAMES) - 1) / 2) for i in range(len(wide))]
        axes.plot(x, wide[name], "o", markersize=4, label=f"{name} ({wide[name].mean():+.2f} dB)")
    short = [
        f"{scan.removeprefix('brain_').removesuffix('.h5')}\n{mask}\nR = {rate:g}" for scan, _, mask, rate in wide.index
    ]
    axes.set_xticks(range(len(wide)), short, fontsize=6, rotation=60, ha="right", rotation_mode="anchor")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=_LINEAR, linscale=2)
    axes.set_yticks([-10, -5, *range(-_LINEAR, _LINEAR + 1)], ["-10", "-5", *map(str, range(-_LINEAR, _LINEAR + 1))])
    axes.set_ylim(bottom=1.3 * float(wide.min().min()))
    axes.grid(axis="y", alpha=0.3)
    axes.set_ylabel("PSNR over the best classical method [dB]")
    axes.legend(fontsize=7, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def findings(rows: pd.DataFrame) -> str:
    """Say in words where each network wins and fails."""
    lines = []
    for name in SHIPPED_NAMES:
        gain = rows[rows["method"] == name].set_index(CASE)[GAIN]
        n_worse = int((gain < 0).sum())
        scan, _, mask, rate = gain.idxmin()
        lines.append(
            f"- `{name}`: {gain.mean():+.2f} dB on average over the best classical method of each case, "
            f"below it in {n_worse} of {len(gain)} cases, at worst {gain.min():+.2f} dB ({scan}, {mask}, R = {rate:g})."
        )
    return "In words:\n\n" + "\n".join(lines) + "\n"


def main(data: Path) -> None:
    """Write the page and its figure."""
    scans = [data / name for name in SCANS]
    if not all(scan.is_file() for scan in scans):
        print(f"no measured scans in '{data}': docs/evaluation.md stays as it is")
        return
    rows = evaluate(scans, MASKS, RATES, 0)
    noise = evaluate([data / NOISE_SCAN], NOISE_MASKS, (NOISE_RATE,), N_REPLICAS)
    noise = noise[noise["std Pearson"].notna()][list(NOISE)].rename(columns=NOISE)
    draw(gains(rows), DOCS / "images" / "evaluation.png")
    page = PAGE.format(
        models=",".join(SHIPPED_NAMES),
        summary=markdown(summary_table(rows.fillna({"problem": ""})).drop(columns=["problems"])),
        psnr=markdown(psnr_table(rows).drop(columns=["slice"])),
        findings=findings(rows),
        probes=N_PROBES,
        replicas=N_REPLICAS,
        noise_scan=NOISE_SCAN,
        noise_rate=f"{NOISE_RATE:g}",
        noise=markdown(noise),
    )
    (DOCS / "evaluation.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS.parents[1] / "shared" / "data")
