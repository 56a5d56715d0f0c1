"""Sweep one setting: a stack with a slider, and the noise of the regions as a curve."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget
from superqt.utils import qthrottled

from mri_noise.plugin.canvas.region_layer import RegionLayer
from mri_noise.plugin.canvas.sweep_stack import SweepStack
from mri_noise.plugin.forms.editors import leave_wheel_to_scrolling
from mri_noise.plugin.widgets.plots import Plot, draw_sweep
from mri_noise.plugin.widgets.sections import StatusLine, button
from mri_noise.plugin.widgets.table_file import csv_button
from mri_noise.plugin.window import Window
from mri_noise.plugin.worker import Handlers, Runner, sentence_of
from mri_noise.report import write_table
from mri_noise.session.layer_data import geometry
from mri_noise.session.state import Status, StatusKind
from mri_noise.session.sweeps.sweeps import (
    PARAMETERS,
    Sweep,
    SweepCurve,
    parsed,
    summary,
    sweep,
    sweep_curves,
    sweep_table,
    with_value,
)

_READY = Status("ready", "Choose what to sweep: the rest stays as the dock MRI noise has it.")
_REDRAW = 200  # [ms]


class SweepPanel(QWidget):
    """Parameter, values, Sweep and Cancel; and a curve that follows the regions and the slider."""

    def __init__(self, shared: Window) -> None:
        super().__init__()
        self.shared, self._runner, self.stack = shared, Runner(), SweepStack(shared.viewer)
        self._draw_soon = qthrottled(self._draw, timeout=_REDRAW)
        self.regions = RegionLayer(shared.viewer, self._draw_soon, self._draw_soon, self._draw_soon)
        self.parameter, self.values = QComboBox(), QLineEdit()
        self.status, self.plot = StatusLine(), Plot(shared.viewer)
        self._sweep: Sweep | None = None
        self._arrange()
        self._propose()
        self.status.show_status(_READY)
        shared.viewer.dims.events.current_step.connect(self._stepped)
        self.destroyed.connect(_farewell(self))

    @property
    def busy(self) -> bool:
        """Whether a sweep is on."""
        return self._runner.busy

    def start(self) -> None:
        """Run the present choices at each value."""
        parameter, experiment = PARAMETERS[self.parameter.currentIndex()], self.shared.session.experiment
        try:
            values = parsed(self.values.text())
            jobs = self.shared.beside([with_value(experiment, parameter, value) for value in values])
        except ValueError as error:
            self._say("failed", sentence_of(error))
            return
        self.leave()
        self._sweep = Sweep(parameter, values)
        handlers = Handlers(self._take_in, self._end, self._cancelled, lambda sentence: self._say("failed", sentence))
        self._runner.start(lambda: sweep(parameter, values, jobs, self.shared.cache), handlers)

    def cancel(self) -> None:
        """Stop, and keep the runs that are done."""
        self._runner.cancel()

    def leave(self) -> None:
        """Take the stacks away, and show the layers of the run again."""
        self.stack.leave()

    def save(self, path: Path) -> None:
        """Write the curves as CSV, a row a value; ValueError if there are none."""
        if self._sweep is None or not self._sweep.runs:
            raise ValueError("there is no curve to save; press Sweep, and wait for its first run")
        self.shared.require_unread(path)
        write_table(sweep_table(self._sweep, self._curves(self._sweep)), path)

    def _take_in(self, state: Sweep) -> None:
        known = 0 if self._sweep is None else len(self._sweep.runs)
        self._sweep = state
        self._say("running", summary(state))
        for run in state.runs[known:]:
            self.shared.keep(run)
        if len(state.runs) > known:
            self.shared.grid.leave()
            self.stack.show(state)
            self.regions.raise_to_top()
            self._draw_soon()

    def _end(self) -> None:
        if self._sweep is not None:
            self._say("done", summary(self._sweep))

    def _cancelled(self) -> None:
        n_runs = 0 if self._sweep is None else len(self._sweep.runs)
        self._say("failed", f"The sweep was cancelled; {n_runs} of its runs are kept.")

    def _stepped(self, _event: object = None) -> None:
        if self.stack.on:
            self._draw_soon()

    def _draw(self) -> None:
        done = self._sweep
        if done is not None and done.runs:
            curves, position = self._curves(done), self.stack.position
            self.plot.show_drawing(lambda axes: draw_sweep(axes, done, curves, position))

    def _curves(self, done: Sweep) -> list[SweepCurve]:
        """Curves of the regions on the slice of a sweep that has a run; that of the object, if there are none."""
        index, size = done.runs[0].job.index, done.runs[0].result.provenance.voxel_size
        return sweep_curves(done, [each.roi for each in self.regions.drawn(geometry(size)) if each.index == index])

    def _propose(self) -> None:
        self.values.setText(", ".join(PARAMETERS[self.parameter.currentIndex()].values))

    def _say(self, kind: StatusKind, sentence: str) -> None:
        self.status.show_status(Status(kind, sentence))

    def _arrange(self) -> None:
        self.parameter.addItems([each.title for each in PARAMETERS])
        self.parameter.currentIndexChanged.connect(lambda _row: self._propose())
        self.parameter.setToolTip("The setting that is swept")
        self.values.setToolTip("Its values, separated by commas")
        leave_wheel_to_scrolling(self.parameter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(_row(self.parameter, self.values))
        layout.addLayout(
            _row(
                button("Sweep", "Run the present choices at each value", self.start),
                button("Cancel", "Stop, and keep the runs that are done", self.cancel),
                button("Leave stack", "Show the layers of the run again", self.leave),
            )
        )
        layout.addWidget(self.status)
        layout.addWidget(self.plot)
        layout.addWidget(
            csv_button(
                self, "Write the curves, a row a value", "sweep.csv", self.save, lambda why: self._say("failed", why)
            )
        )


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(3)
    for widget in widgets:
        row.addWidget(widget)
    return row


def _farewell(panel: SweepPanel) -> Callable[..., None]:
    """What is done when the panel goes with its window."""
    dims, stepped, draw_soon = panel.shared.viewer.dims, panel._stepped, panel._draw_soon
    runner, regions = panel._runner, panel.regions

    def leave(*_: object) -> None:
        runner.leave()
        draw_soon.cancel()
        regions.leave()
        dims.events.current_step.disconnect(stepped)

    return leave
