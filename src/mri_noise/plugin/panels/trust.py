"""The question before code that a file names is run."""

from qtpy.QtWidgets import QMessageBox, QWidget

from mri_noise.choices import code_in, trusting
from mri_noise.experiment import Experiment


def agreed(parent: QWidget, experiment: Experiment) -> Experiment | None:
    """The experiment as it may run: itself, or after a yes with its code trusted; None after a no."""
    targets = code_in(experiment)
    if not targets:
        return experiment
    named = "\n".join(targets)
    answer = QMessageBox.question(
        parent,
        "Run Python code?",
        f"This experiment comes from a file and runs Python code that the file names:\n\n{named}\n\n"
        "It can do whatever you can do on this computer. Run it?",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return trusting(experiment) if answer == QMessageBox.StandardButton.Yes else None
