"""Write docs/models.md: a card for each trained network of the package, from its file, and how they do."""

import hashlib
from pathlib import Path
from typing import Any, get_args

import matplotlib.pyplot as plt
import pandas as pd

from mri_noise.evaluation.tables import markdown
from mri_noise.recon.checkpoint import load_network, read_training
from mri_noise.recon.shipped import ShippedName
from mri_noise.report import draw

DOCS = Path(__file__).parent
WEIGHTS = DOCS.parent / "src" / "mri_noise" / "weights"
EVALUATION = DOCS / "evaluation"


def main() -> None:
    """Write the page and the figure of the learning curves."""
    names = get_args(ShippedName)
    trainings = {name: read_training(WEIGHTS / f"{name}.safetensors") for name in names}
    draw(curves(trainings), DOCS / "images" / "training_curves.png")
    page = (DOCS / "models.template.md").read_text(encoding="utf-8")
    page = page.replace("{overview}", markdown(pd.DataFrame([overview(name, trainings[name]) for name in names])))
    page = page.replace("{cards}", "\n".join(card(name, trainings[name]) for name in names))
    for part in ("summary", "psnr", "noise"):
        table = EVALUATION / f"{part}.csv"
        page = page.replace(f"{{{part}}}", markdown(pd.read_csv(table, keep_default_na=False)))
    (DOCS / "models.md").write_text(page, encoding="utf-8")


def overview(name: str, training: dict[str, Any]) -> dict[str, str | float]:
    """One row of the table of all networks."""
    path = WEIGHTS / f"{name}.safetensors"
    network = load_network(path)
    return {
        "name": f"`{name}`",
        "architecture": training["recipe"]["network"]["kind"],
        "objective": training["recipe"]["objective"]["kind"],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "file [MB]": path.stat().st_size / 1e6,
        "examples": training["n_examples"],
        "validation PSNR [dB]": training["validation"]["psnr"],
        "validation SSIM": training["validation"]["ssim"],
    }


def card(name: str, training: dict[str, Any]) -> str:
    """All that a file tells of its training."""
    path = WEIGHTS / f"{name}.safetensors"
    recipe, data = training["recipe"], training["recipe"]["data"]
    labelled = "all" if data["n_labelled"] is None else str(data["n_labelled"])
    facts = {
        "Recipe": f"[recipes/{recipe['name']}.yaml](../recipes/{recipe['name']}.yaml), seed {training['seed']}",
        "Network": settings_of(recipe["network"]),
        "Objective": settings_of(recipe["objective"]),
        "Data": f"{data['source']['n_subjects']} simulated subjects of {data['source']['n_slices']} slices, "
        f"{data['n_validation_subjects']} of them for validation; labelled subjects: {labelled}",
        "Training": f"{training['n_steps']} steps, {training['n_examples']} examples; the weights are those after "
        f"step {training['best_step']}, the best in validation {recipe['trainer']['monitor']}",
        "Versions": ", ".join(f"{package} {version}" for package, version in training["versions"].items()),
        "SHA-256 of the file": f"`{hashlib.sha256(path.read_bytes()).hexdigest()}`",
    }
    return f"### {name}\n\n" + "\n".join(f"- {what}: {fact}" for what, fact in facts.items()) + "\n"


def settings_of(settings: dict[str, Any]) -> str:
    """Write settings in one line."""
    return ", ".join(f"{name} {value}" for name, value in settings.items() if not isinstance(value, dict | list))


def curves(trainings: dict[str, dict[str, Any]]) -> plt.Figure:
    """Draw the validation PSNR of every training against its steps."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, training in trainings.items():
        history = pd.DataFrame(training["history"])
        axes.plot(history["step"], history["psnr"], label=name)
    axes.set(xlabel="step of the optimiser", ylabel="validation PSNR [dB]")
    axes.grid(alpha=0.3)
    axes.legend(ncols=2)
    return figure


if __name__ == "__main__":
    main()
