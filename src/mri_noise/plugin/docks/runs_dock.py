"""The dock "Runs": the finished runs, two of them side by side, and sweeps of one setting."""

import pandas as pd
from napari.viewer import Viewer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from mri_noise.plugin.docks.docking import share_place
from mri_noise.plugin.panels.sweep_panel import SweepPanel
from mri_noise.plugin.widgets.sections import Section, StatusLine, buttons, scrolling, stacked
from mri_noise.plugin.widgets.tables import Table
from mri_noise.plugin.window import window_of
from mri_noise.plugin.worker import sentence_of
from mri_noise.session.agreement import MEANINGS, SAME_UNITS, agreement_table, require_same_image, verdict
from mri_noise.session.jobs import Snapshot
from mri_noise.session.runs import runs_table
from mri_noise.session.state import Status
from mri_noise.session.verdicts import NOT_LINEAR

_NO_RUNS = Status("missing", "No finished run: run the dock MRI noise first.")
_READY = Status("ready", "Select one run to show it again, or two (with Ctrl) to see them side by side.")
_SHORT = {"median std": "std", "total error [%]": "err %"}
_MEANINGS = {
    "total error [%]": "how well the std is known: error of the map's samples and of the linearisation together",
    "linear": "whether the reconstruction is linear at this noise, as the map assumes; Monte Carlo assumes nothing",
}
_LIST_HEIGHT = 170  # [pixels]


class RunsDock(QWidget):
    """A list of finished runs to show again or to compare, and sweeps."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.shared = window_of(napari_viewer)
        self.runs = Table(short=_SHORT, meanings=_MEANINGS, columns=("changed", *_SHORT, "linear"), amber=(NOT_LINEAR,))
        self.agreement, self.status = Table(fits=True, meanings=MEANINGS, same_units=SAME_UNITS), StatusLine()
        self.sweep = SweepPanel(self.shared)
        self._listed: tuple[Snapshot, ...] = ()
        self._arrange()
        share_place(self, "Runs")
        self.shared.changed.connect(self._look)
        shared, look = self.shared, self._look
        self.destroyed.connect(lambda *_: shared.changed.disconnect(look))
        self.status.show_status(_NO_RUNS)
        self._look()

    def show_selected(self) -> None:
        """Show the selected run in the layers of the present one."""
        chosen = self._chosen()
        if len(chosen) != 1:
            self._complain("Select one run in the list to show it.")
            return
        self.leave()
        self.shared.show_again(chosen[0])
        self.status.show_status(Status("done", f"The layers show {chosen[0].job.name}."))

    def compare_selected(self) -> None:
        """Set the maps of the two selected runs side by side; the later one minus the earlier one."""
        chosen = self._chosen()
        if len(chosen) != 2:
            self._complain("Select two runs in the list, the second with Ctrl, to compare them.")
            return
        reference, run = chosen
        try:
            require_same_image(run, reference)
        except ValueError as error:
            self._complain(sentence_of(error))
            return
        self.sweep.leave()
        self.shared.grid.show(run, reference)
        self.agreement.show_frame(agreement_table(run, reference))
        self.agreement.show()
        self.status.show_status(
            Status("done", f"{run.job.title} against {reference.job.name}. {verdict(run, reference)}")
        )

    def leave(self) -> None:
        """Show the layers of the run again."""
        self.shared.grid.leave()
        self.sweep.leave()
        self.agreement.hide()

    def _chosen(self) -> list[Snapshot]:
        return [self._listed[row] for row in self.runs.chosen_rows() if row < len(self._listed)]

    def _look(self) -> None:
        """List the finished runs."""
        runs = self.shared.session.runs
        if runs is self._listed:
            return
        self._listed = runs
        self.runs.show_frame(runs_table(runs) if runs else pd.DataFrame())
        self.runs.scrollToBottom()
        self.status.show_status(_READY if runs else _NO_RUNS)

    def _complain(self, sentence: str) -> None:
        self.status.show_status(Status("failed", sentence))

    def _arrange(self) -> None:
        self.runs.choose_rows()
        self.runs.setMinimumHeight(_LIST_HEIGHT)
        self.agreement.hide()
        chosen = buttons(
            ("Show", "Show the selected run in the layers of the present one", self.show_selected),
            ("Side by side", "The maps of two selected runs in a linked grid", self.compare_selected),
            ("Leave", "Show the layers of the run again", self.leave),
        )
        finished, swept = Section("Finished runs"), Section("Sweep one setting")
        for widget in (self.runs, chosen, self.status, self.agreement):
            finished.rows.addWidget(widget)
        swept.rows.addWidget(self.sweep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(stacked([finished, swept])))
        self.setMinimumWidth(300)
