"""The dock "Compare with Monte Carlo": replicas beside the map that is shown."""

from collections.abc import Callable
from dataclasses import replace

from napari.viewer import Viewer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from mri_noise.plugin.docks.docking import share_place
from mri_noise.plugin.forms.editors import leave_wheel_to_scrolling
from mri_noise.plugin.widgets.plots import ComparisonPlots
from mri_noise.plugin.widgets.sections import MUTED, PRIMARY, StatusLine, ThinBar, button, scrolling, stacked
from mri_noise.plugin.widgets.tables import Table
from mri_noise.plugin.window import window_of
from mri_noise.plugin.worker import Handlers, Runner, sentence_of
from mri_noise.readings import estimate_of
from mri_noise.session.agreement import MEANINGS, SAME_UNITS, agreement_table, costs, verdict
from mri_noise.session.jobs import Snapshot, snapshots, up_to_here
from mri_noise.session.state import Status, StatusKind
from mri_noise.session.sweeps.curves import Curve, Traced, traced
from mri_noise.variance.sampling.monte_carlo import MonteCarlo

_NO_RUN = Status("missing", "No map: run the dock MRI noise first, then compare it.")
_READY = Status("ready", "Compare runs replicas of the same data and sets their map beside that of the run.")
_REDRAW = 400  # [ms] between two drawings of the plots


class CompareDock(QWidget):
    """Monte Carlo beside the run that is shown: linked grid, tables, plots, all of which refine."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.shared, self._runner = window_of(napari_viewer), Runner()
        self.n_replicas, self.bar, self.status = QSpinBox(), ThinBar(), StatusLine()
        self.agreement, self.costs = Table(fits=True, meanings=MEANINGS, same_units=SAME_UNITS), Table(fits=True)
        self.plots = ComparisonPlots(napari_viewer)
        self._draw_soon = qthrottled(self._draw, timeout=_REDRAW)
        self._run: Snapshot | None = None
        self._reference: Snapshot | None = None
        self._curve = Curve()
        self._arrange()
        share_place(self, "Compare")
        self.shared.changed.connect(self._look)
        self.destroyed.connect(_farewell(self))
        self._look()

    @property
    def busy(self) -> bool:
        """Whether replicas are on their way."""
        return self._runner.busy

    def compare(self) -> None:
        """Run replicas of the run that is shown."""
        run = self.shared.session.shown
        if run is None or not run.final:
            self.status.show_status(_NO_RUN)
            return
        try:
            job = self.shared.aside(run, MonteCarlo(n_replicas=self.n_replicas.value()))
        except ValueError as error:
            self._complain(sentence_of(error))
            return
        self._run, self._reference, self._curve = run, None, Curve()
        handlers = Handlers(self._take_in, self._end, self._cancelled, self._complain)
        self._runner.start(lambda: traced(snapshots(job, self.shared.cache)), handlers)
        self._say("running", f"{job.title}: replicas of {run.job.name} are on their way.")
        self._enable()

    def cancel(self) -> None:
        """Stop the replicas, and keep those that are in."""
        self._runner.cancel()

    def leave_grid(self) -> None:
        """Show the layers of the run again."""
        self.shared.grid.leave()

    def _take_in(self, step: Traced) -> None:
        reference, run = step.snapshot, self._run
        estimate = reference.result.estimate
        if estimate is None or estimate.n_samples < 2 or run is None:
            return
        first = self._reference is None
        self._reference, self._curve = reference, step.curve
        self.bar.share = estimate.n_samples / estimate.n_total
        if first or self.shared.grid.on:  # who leaves the grid is not brought back
            self.shared.grid.show(run, reference)
        self.agreement.show_frame(agreement_table(run, reference))
        self.costs.show_frame(costs(run, reference))
        self._draw_soon()
        self._say("running", f"{estimate.n_samples} of {estimate.n_total} replicas.")

    def _end(self) -> None:
        """Keep the replicas, and say how the maps agree."""
        run, reference = self._run, self._reference
        self.bar.share = 0.0
        if run is not None and reference is not None:
            self._draw()
            self.shared.keep(replace(reference, result=up_to_here(reference.result)))
            self._say("done", verdict(run, reference))
        self._enable()

    def _cancelled(self) -> None:
        self._end()
        n_samples = 0 if self._reference is None else estimate_of(self._reference.result).n_samples
        kept = f"the {n_samples} that were in are kept" if n_samples else "none was in yet"
        self._say("failed", f"The replicas were cancelled; {kept}.")

    def _complain(self, sentence: str) -> None:
        self.bar.share = 0.0
        self._say("failed", sentence)
        self._enable()

    def _draw(self) -> None:
        run, reference = self._run, self._reference
        if run is not None and reference is not None:
            named = [(run.job, self.shared.curve_of(run.job.number)), (reference.job, self._curve)]
            self.plots.show_curves([(f"{job.name}, {job.experiment.variance.kind}", curve) for job, curve in named])
            self.plots.show_agreement(run, reference)

    def _look(self) -> None:
        """Follow the session: there must be a finished run."""
        self._enable()
        if not self.busy and self._run is None:
            self.status.show_status(_READY if self._start.isEnabled() else _NO_RUN)

    def _enable(self) -> None:
        shown = self.shared.session.shown
        self._start.setEnabled(shown is not None and shown.final)
        self._stop.setEnabled(self.busy)
        self._leave.setEnabled(self.shared.grid.on)

    def _say(self, kind: StatusKind, sentence: str) -> None:
        self.status.show_status(Status(kind, sentence))

    def _arrange(self) -> None:
        self.n_replicas.setRange(2, 100_000)
        self.n_replicas.setValue(200)
        self.n_replicas.setToolTip("Noise realisations; the sampling error of their map is about 1 / sqrt(2 replicas)")
        leave_wheel_to_scrolling(self.n_replicas)
        self._start = button("Compare", "Run replicas of the same data", self.compare)
        self._start.setStyleSheet(PRIMARY)
        self._stop = button("Cancel", "Stop, and keep the replicas that are in", self.cancel)
        self._leave = button("Leave grid", "Show the layers of the run again", self.leave_grid)
        explained = QLabel(_EXPLAINED)
        explained.setWordWrap(True)
        explained.setStyleSheet(MUTED)
        parts = [
            _row(QLabel("replicas"), self.n_replicas, self._start),
            _row(self._stop, self._leave),
            *(self.bar, self.status, self.plots, self.agreement, explained, self.costs),
        ]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(stacked(parts)))
        self.setMinimumWidth(300)


_EXPLAINED = "Expected: what the sampling errors of both maps would make of two maps that are the same."


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(3)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def _farewell(dock: CompareDock) -> Callable[..., None]:
    """What is done when the dock goes with its window."""
    shared, look, runner, draw_soon = dock.shared, dock._look, dock._runner, dock._draw_soon

    def leave(*_: object) -> None:
        runner.leave()
        draw_soon.cancel()
        shared.changed.disconnect(look)

    return leave
