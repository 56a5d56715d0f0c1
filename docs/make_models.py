"""Write docs/models.md, the card of every shipped model, from the files of weights themselves."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from mri_noise.recon.weights.checkpoint import read_training
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped, ShippedName, shipped_weights
from mri_noise.report import draw

DOCS = Path(__file__).parent
WHAT = {
    "unet": "a U-Net on the zero-filled image; the only one without data consistency",
    "unrolled": "gradient steps with momentum and a multiscale denoiser after each four",
    "modl": "a multiscale denoiser alternating with the exact regularised solution",
    "varnet": "gradient steps with a multiscale denoiser after each four, and a network that corrects the coil maps",
    "modl-ssdu": "MoDL without any target: it predicts samples that were held out",
    "modl-n2r": "MoDL from few targets, and unlabelled scans with added noise",
    "modl-vortex": "MoDL from few targets, and unlabelled scans under composed augmentations",
}
HEAD = """# Shipped models

Seven trained networks come with the package; `mri-noise models` lists them, and each is used by its name:

```
mri-noise run SCAN -s reconstruction.kind=shipped -s reconstruction.name=modl -o OUT.h5
```

All were trained on simulated acquisitions of two head volumes (Colin27 and the MNI152 average) by the recipes of
[`recipes/`](../recipes), which say where a training went on from another, on two cores of a CPU, and some for
minutes on a GPU; no measured scan was trained on. What they reach on measured brains, where they fail, and beside which
classical methods, is in [evaluation.md](evaluation.md). They are for research on noise in reconstructions and not for
diagnosis.

This page is written by `docs/make_models.py` from the files of weights. Image quality here is that of the validation
examples: undersampled simulated slices of heads that were not trained on, with masks, accelerations and noise levels as
in training. It can be compared between models of the same noise levels and targets only: where targets keep their noise
(see [training](training.md)), no reconstruction reaches them at high noise.
"""
LIMITS = """
## What they expect

- Multi-coil k-space with coil maps of which the sum of squares is one; the scale of the data does not matter.
- Accelerations of 2 to 8 (calibration included) with lines at random, equispaced lines, Poisson discs or points at
  random. They were trained with 1 to 14 coils (up to 22 at last) and 96 to 128 pixels a side, and evaluated with up to
  16 coils and 256 x 216 pixels; any size and any number of coils is accepted.
- Heads. On other anatomy they are untested.
- A noise level up to that of each card. Artefacts other than undersampling (motion, spikes) are outside of what they
  saw, but for `modl-vortex`, which saw motion.
- `modl`, `varnet`, `unet` and, at last, `unrolled` learned to show what a full scan would have shown, noise included;
  `modl-n2r` and `modl-vortex` learned from targets without noise.
"""


def card(name: ShippedName) -> str:
    """Write what a file of weights tells of itself."""
    with shipped_weights(name) as path:
        training, content = read_training(path), path.read_bytes()
    recipe, network = training["recipe"], Shipped(name=name)()
    n_parameters = sum(weight.numel() for weight in network.parameters())
    kinds = recipe["data"]["draws"]["masks"]["kinds"]
    rows = {
        "recipe": f"[recipes/{name}.yaml](../recipes/{name}.yaml), seed {training['seed']}",
        "network": f"`{_settings(recipe['network'])}`",
        "parameters": f"{n_parameters:,} in {len(content) / 1e6:.2f} MB, convolutions in half precision",
        "objective": f"`{_settings(recipe['objective'])}`",
        "data": _data(recipe["data"]),
        "noise": _noise(recipe["data"]["draws"]),
        "masks": f"{', '.join(kinds)}; R = {_range(recipe['data']['draws']['masks']['acceleration'])}",
        "training": f"{training['n_steps']:,} steps, {training['n_examples']:,} examples; "
        f"best validation in step {training['best_step']:,}",
        "began with": _beginning(training),
        "validation": ", ".join(f"{key.upper()} {value:.4g}" for key, value in training["validation"].items()),
        "versions": ", ".join(f"{key} {value}" for key, value in training["versions"].items()),
        "SHA-256 of the file": f"`{hashlib.sha256(content).hexdigest()}`",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"## {name}\n\n{WHAT[name][0].upper()}{WHAT[name][1:]}.\n\n| | |\n|---|---|\n{table}\n"


def _settings(choice: dict[str, Any]) -> str:
    text = yaml.safe_dump(choice, default_flow_style=True, sort_keys=False, width=10**6).strip()
    return text.removeprefix("{").removesuffix("}").replace("|", "\\|")


def _beginning(training: dict[str, Any]) -> str:
    """Random weights, or those of an earlier training in all of the network or in a part of it."""
    before = training.get("began_with")
    if before is None:
        return "random weights"
    recipe, part = before["training"]["recipe"], training["recipe"]["initial"]["part"]
    where = f", in `{part}`" if part else ""
    steps = f"{before['training']['n_steps']:,} steps"
    began = f"weights of `{recipe['name']}` after {steps}{where} (SHA-256 {before['sha256'][:12]}...)"
    if "averaged" not in training:
        return began
    share, others = 1 - training["averaged"], training["averaged_with"]
    if others == before["sha256"]:
        return f"{began}; averaged with {share:.0%} of these"
    return f"{began}; averaged with {share:.0%} of weights that went on from the same (SHA-256 {others[:12]}...)"


def _n_examples(training: dict[str, Any]) -> int:
    """Examples of a training and of the one that it went on from."""
    before = training.get("began_with")
    return int(training["n_examples"]) + (0 if before is None else _n_examples(before["training"]))


def _range(limits: list[float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"


def _noise(draws: dict[str, Any]) -> str:
    kept = draws.get("target_noise", 0)
    share = "none of it" if kept == 0 else ("all of it" if kept >= draws["noise_level"][1] else f"up to {kept:g}")
    return f"level of {_range(draws['noise_level'])} of bright tissue, {share} in the targets"


def _data(data: dict[str, Any]) -> str:
    source = data["source"]
    labelled = {None: "all training subjects labelled", 0: "no subject labelled"}.get(
        data["n_labelled"], f"{data['n_labelled']} subjects labelled"
    )
    return (
        f"simulated heads, {source['n_subjects']} subjects of {source['n_slices']} slices, "
        f"{data['n_validation_subjects']} of them for validation; {labelled}; {_range(source['rows'])} pixels a side, "
        f"{_range(source['n_coils'])} coils"
    )


def summary() -> str:
    """Write a table of all models."""
    rows = ["| model | | examples | PSNR [dB] | SSIM | MB |", "|---|---|---|---|---|---|"]
    for name in SHIPPED_NAMES:
        with shipped_weights(name) as path:
            training, size = read_training(path), path.stat().st_size
        quality = training["validation"]
        rows.append(
            f"| [{name}](#{name}) | {WHAT[name]} | {_n_examples(training):,} | {quality['psnr']:.2f} | "
            f"{quality['ssim']:.3f} | {size / 1e6:.2f} |"
        )
    return "\n".join(rows) + (
        "\n\n![Validation of each training](images/training.png)\n\n"
        "Lines that begin anew are trainings that went on from the weights before, with validation examples of their\n"
        "own: their levels cannot be compared.\n"
    )


def curves() -> Figure:
    """Draw how the validation went on in each training, and in those that it went on from."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained", dpi=110)
    axes = figure.subplots()
    for number, name in enumerate(SHIPPED_NAMES):
        with shipped_weights(name) as path:
            stages = list(_stages(read_training(path)))
        for stage, (examples, values) in enumerate(stages):
            label = name if stage == 0 else None
            axes.plot(examples, values, color=f"C{number}", marker="o", markersize=3, label=label)
    axes.set(xlabel="examples [thousands]", ylabel="PSNR of the validation examples [dB]")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _stages(training: dict[str, Any]) -> Iterator[tuple[list[float], list[float]]]:
    """Examples in thousands, and validation, of each training of a chain; each has validation examples of its own."""
    before = training.get("began_with")
    seen = 0
    if before is not None:
        yield from _stages(before["training"])
        seen = _n_examples(before["training"])
    of_each = training["recipe"]["trainer"]["batch_size"]
    history = training["history"]
    yield [(seen + of_each * entry["step"]) / 1000 for entry in history], [entry["psnr"] for entry in history]


if __name__ == "__main__":
    draw(curves(), DOCS / "images" / "training.png")
    cards = "\n".join(card(name) for name in SHIPPED_NAMES)
    (DOCS / "models.md").write_text(f"{HEAD}\n{summary()}{LIMITS}\n{cards}", encoding="utf-8")
