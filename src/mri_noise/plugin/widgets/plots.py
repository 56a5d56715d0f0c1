"""Plots in a dock, in the colours of the window."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, ScalarFormatter
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QSizePolicy, QTabWidget

from mri_noise.readings import comparison_of
from mri_noise.report import bland_altman, scatter
from mri_noise.session.agreement import sigma_of
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layer_data import DATA_UNITS
from mri_noise.session.sweeps.curves import Curve
from mri_noise.session.sweeps.sweeps import Sweep, SweepCurve

Drawing = Callable[[Axes], None]

_WIDTH, _HEIGHT = 200, 270  # [pixels]
_FONT_SIZE = 8.5  # [points]


class Plot(FigureCanvasQTAgg):
    """One pair of axes, drawn anew for each drawing and theme; one that is not visible waits until it is."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(Figure(layout="constrained", dpi=90))
        self._viewer = viewer
        self._drawing: Drawing | None = None
        self._waits = False
        self.setFixedHeight(_HEIGHT)
        self.setMinimumWidth(_WIDTH)
        viewer.events.theme.connect(self._again)
        again = self._again
        self.destroyed.connect(lambda *_: viewer.events.theme.disconnect(again))

    def show_drawing(self, drawing: Drawing) -> None:
        """Draw on empty axes, now or when the plot is seen."""
        self._drawing = drawing
        self._again()

    def sizeHint(self) -> QSize:
        """As small as it can be: matplotlib asks for the size of a page."""
        return QSize(_WIDTH, _HEIGHT)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what has waited."""
        super().showEvent(event)
        if self._waits:
            self._paint()

    def _again(self, _event: object = None) -> None:
        self._waits = True
        if self.isVisible():
            self._paint()

    def _paint(self) -> None:
        self._waits = False
        self.figure.clear()
        axes = self.figure.add_subplot()
        if self._drawing is None:
            axes.set_axis_off()
        else:
            self._drawing(axes)
        theme = get_theme(self._viewer.theme)
        _dress(axes, theme.text.as_hex(), theme.background.as_hex())
        self.draw_idle()


def _dress(axes: Axes, ink: str, paper: str) -> None:
    """Give axes the colours of a theme."""
    axes.figure.set_facecolor(paper)
    axes.set_facecolor(paper)
    axes.tick_params(which="both", colors=ink, labelsize=_FONT_SIZE)
    for spine in axes.spines.values():
        spine.set_color(ink)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set(color=ink, fontsize=_FONT_SIZE)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(color=ink, fontsize=_FONT_SIZE)
        ticks = axis.get_major_formatter()
        if isinstance(ticks, ScalarFormatter):
            ticks.set_powerlimits((-3, 4))
    if axes.get_legend() is not None:
        axes.legend(fontsize=_FONT_SIZE, labelcolor=ink, facecolor=paper, edgecolor=ink, framealpha=0.8)


class ComparisonPlots(QTabWidget):
    """Error against evaluations, scatter with regression, and Bland-Altman, a tab each."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.curves, self.scatter, self.bland_altman = Plot(viewer), Plot(viewer), Plot(viewer)
        self.addTab(self.curves, "Error")
        self.addTab(self.scatter, "Scatter")
        self.addTab(self.bland_altman, "Bland-Altman")

    def show_curves(self, named: Sequence[tuple[str, Curve]]) -> None:
        """Draw the sampling error of each map against the evaluations spent on it."""
        self.curves.show_drawing(lambda axes: draw_curves(axes, named))

    def show_agreement(self, run: Snapshot, reference: Snapshot) -> None:
        """Draw how two maps agree, voxel by voxel inside the object."""
        self.scatter.show_drawing(lambda axes: _draw_scatter(axes, run, reference))
        self.bland_altman.show_drawing(lambda axes: _draw_bland_altman(axes, run, reference))


def draw_curves(axes: Axes, named: Sequence[tuple[str, Curve]]) -> None:
    """Draw the sampling errors of maps against the evaluations spent on them."""
    for name, curve in named:
        if curve.evaluations:
            axes.loglog(curve.evaluations, curve.errors, ".-", ms=4, lw=1.2, label=name)
    axes.set(xlabel="evaluations of the reconstruction", ylabel="sampling error of the map [%]")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.25)
    if axes.lines:
        axes.legend()


def _draw_scatter(axes: Axes, run: Snapshot, reference: Snapshot) -> None:
    x, y = (sigma_of(each.result, run.result).values for each in (reference, run))
    scatter(axes, x, y, _names(run, reference), comparison_of(run.result, reference.result))


def _draw_bland_altman(axes: Axes, run: Snapshot, reference: Snapshot) -> None:
    x, y = (sigma_of(each.result, run.result).values for each in (reference, run))
    bland_altman(axes, x, y, comparison_of(run.result, reference.result))
    axes.set(xlabel=f"mean of the two [{DATA_UNITS}]", ylabel=f"difference [{DATA_UNITS}]")


def _names(*runs: Snapshot) -> list[str]:
    return [f"{run.job.name} [{DATA_UNITS}]" for run in runs]


def draw_sweep(axes: Axes, done: Sweep, curves: Sequence[SweepCurve], position: int | None) -> None:
    """Draw the noise of regions against the value that was swept, and where the slider is."""
    for curve in curves:
        axes.errorbar(done.positions, curve.means, curve.intervals, fmt=".-", ms=5, lw=1.2, capsize=2, label=curve.name)
    if position is not None:
        axes.axvline(done.positions[position], color="0.5", lw=1, ls=":")
    axes.set_xticks(done.positions, done.values[: len(done.runs)])
    axes.tick_params(axis="x", rotation=0 if done.parameter.is_number else 20)
    axes.set(xlabel=done.parameter.title, ylabel=f"mean noise std [{DATA_UNITS}]")
    axes.set_ylim(bottom=0)
    axes.legend()
