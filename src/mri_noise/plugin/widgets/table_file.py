"""Tables as files."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QPushButton, QWidget

from mri_noise.plugin.widgets.sections import button
from mri_noise.plugin.worker import sentence_of

TITLE = "Save as CSV …"


def csv_button(
    parent: QWidget, tooltip: str, proposed: str, save: Callable[[Path], None], complain: Callable[[str], None]
) -> QPushButton:
    """A button that asks for a file and saves a table in it; why that failed is said in one sentence."""

    def ask() -> None:
        name, _ = QFileDialog.getSaveFileName(parent, "Save the table", proposed, "Table (*.csv)")
        if name:
            try:
                save(Path(name))
            except (ValueError, OSError) as error:
                complain(sentence_of(error))

    return button(TITLE, tooltip, ask)
