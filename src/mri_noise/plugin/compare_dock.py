"""The dock "Compare with Monte Carlo": replicas beside the map that is shown."""

import pandas as pd
from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSpinBox, QVBoxLayout, QWidget

from mri_noise.plugin.editors import leave_wheel_to_scrolling
from mri_noise.plugin.plots import ComparisonPlots
from mri_noise.plugin.sections import StatusLine, button, scrolling, stacked
from mri_noise.plugin.side_by_side import SideBySide
from mri_noise.plugin.tables import Table
from mri_noise.plugin.window import window_of
from mri_noise.plugin.worker import Handlers, Runner, sentence_of
from mri_noise.report import comparison_table, cost_table
from mri_noise.session.curves import Curve
from mri_noise.session.jobs import Snapshot, snapshots
from mri_noise.session.state import Status, StatusKind
from mri_noise.variance.replica import MonteCarlo

_NO_RUN = Status("missing", "No map: run the dock MRI noise first, then compare it.")
_READY = Status("ready", "Compare runs replicas of the same data and sets them beside the map.")


class CompareDock(QWidget):
    """Monte Carlo beside the run that is shown: linked grid, table, plots, all of which refine."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.shared, self._runner = window_of(napari_viewer), Runner()
        self.grid = SideBySide(napari_viewer)
        self.n_replicas, self.bar, self.status = QSpinBox(), QProgressBar(), StatusLine()
        self.table, self.plots = Table(), ComparisonPlots()
        self._run: Snapshot | None = None
        self._reference: Snapshot | None = None
        self._curve = Curve()
        self._arrange()
        self.shared.changed.connect(self._look)
        shared, look, runner = self.shared, self._look, self._runner

        def leave(*_: object) -> None:
            runner.cancel()
            shared.changed.disconnect(look)

        self.destroyed.connect(leave)
        self._look()

    @property
    def busy(self) -> bool:
        """Whether replicas are on their way."""
        return self._runner.busy

    def compare(self) -> None:
        """Run replicas of the run that is shown."""
        run = self.shared.session.shown
        if run is None or not run.result.complete:
            self.status.show_status(_NO_RUN)
            return
        try:
            job = self.shared.aside(run, MonteCarlo(n_replicas=self.n_replicas.value()))
        except ValueError as error:
            self._complain(sentence_of(error))
            return
        self._run, self._reference, self._curve = run, None, Curve()
        handlers = Handlers(self._take_in, self._end, self._cancelled, self._complain)
        self._runner.start(lambda: snapshots(job, self.shared.cache), handlers)
        self._say("running", f"{job.title}: replicas of {run.job.name} are on their way.")

    def cancel(self) -> None:
        """Stop the replicas, and keep the comparison with those that are in."""
        self._runner.cancel()

    def leave_grid(self) -> None:
        """Show the layers of the run again."""
        self.grid.leave()

    def _take_in(self, reference: Snapshot) -> None:
        estimate, run = reference.result.estimate, self._run
        if estimate is None or estimate.n_samples < 2 or run is None:
            return
        self._reference, self._curve = reference, self._curve.extended(reference.result)
        self.bar.setValue(round(1000 * estimate.n_samples / estimate.n_total))
        self.grid.show(run, reference)
        self.table.show_frame(agreement(run, reference))
        self._draw_curves(run)
        self._say("running", f"{estimate.n_samples} of {estimate.n_total} replicas.")

    def _end(self) -> None:
        run, reference = self._run, self._reference
        if run is None or reference is None:
            return
        self.bar.setValue(0)
        self.plots.show_agreement(run, reference)
        if reference.result.complete:
            self.shared.keep(reference)
        self._say("done", verdict(self.table.frame))

    def _cancelled(self) -> None:
        self._end()
        self._say("failed", "The replicas were cancelled; the comparison is with those that were in.")

    def _complain(self, sentence: str) -> None:
        self.bar.setValue(0)
        self._say("failed", sentence)

    def _draw_curves(self, run: Snapshot) -> None:
        name = run.result.experiment.variance.kind
        self.plots.show_curves([(name, self.shared.curve_of(run.job.number)), ("Monte Carlo", self._curve)])

    def _look(self) -> None:
        """Follow the session: there must be a finished run."""
        shown = self.shared.session.shown
        ready = shown is not None and shown.result.complete
        self._start.setEnabled(ready)
        if not self.busy and self._run is None:
            self.status.show_status(_READY if ready else _NO_RUN)

    def _say(self, kind: StatusKind, sentence: str) -> None:
        self.status.show_status(Status(kind, sentence))

    def _arrange(self) -> None:
        self.n_replicas.setRange(2, 100_000)
        self.n_replicas.setValue(200)
        leave_wheel_to_scrolling(self.n_replicas)
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.table.setMinimumHeight(220)
        self._start = button("Compare", "Run replicas of the same data", self.compare)
        top = QWidget()
        row = QHBoxLayout(top)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (
            QLabel("replicas"),
            self.n_replicas,
            self._start,
            button("Cancel", "Stop, and keep what is there", self.cancel),
            button("Leave grid", "Show the layers of the run again", self.leave_grid),
        ):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(stacked([top, self.bar, self.status, self.plots, self.table])))
        self.setMinimumWidth(300)


def agreement(run: Snapshot, reference: Snapshot) -> pd.DataFrame:
    """How two maps agree, and what each took: rows of figures."""
    both = [run.result, reference.result]
    figures = comparison_table(*both)
    cost = cost_table(both)
    cost.columns = [f"run {run.job.number}", f"run {reference.job.number}"]
    return pd.concat([figures, cost]).rename(index=lambda name: str(name).strip())


def verdict(figures: pd.DataFrame) -> str:
    """Whether the maps agree as well as their sampling errors let them."""
    column = figures["magnitude std"]
    found, expected = column["NRMSE by rms, object [%]"], column["expected from both standard errors [%]"]
    sense = "agree within" if found < 1.2 * expected else "differ by more than"
    return f"The maps {sense} their sampling errors: {found:.1f} % apart, {expected:.1f} % expected."
