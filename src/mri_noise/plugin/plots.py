"""Plots in a dock, in the colours of the window."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from qtpy.QtWidgets import QTabWidget

from mri_noise.report import bland_altman, comparison_of, estimate_of, scatter
from mri_noise.session.curves import Curve
from mri_noise.session.jobs import Snapshot

_HEIGHT = 260  # [pixels]


class Plot(FigureCanvasQTAgg):
    """One pair of axes that is drawn anew each time."""

    def __init__(self) -> None:
        super().__init__(Figure(figsize=(3.0, 2.6), layout="constrained", dpi=90))
        self.setMinimumHeight(_HEIGHT)
        self.setMinimumWidth(240)

    def fresh(self) -> Axes:
        """Empty axes in the colours of the window."""
        self.figure.clear()
        palette = self.palette()
        text, base = palette.windowText().color().name(), palette.window().color().name()
        self.figure.set_facecolor(base)
        axes = self.figure.add_subplot()
        axes.set_facecolor(base)
        axes.tick_params(colors=text, labelsize=7)
        for spine in axes.spines.values():
            spine.set_color(text)
        for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
            label.set_color(text)
            label.set_fontsize(8)
        return axes


class ComparisonPlots(QTabWidget):
    """Error against evaluations, scatter with regression, and Bland-Altman, a tab each."""

    def __init__(self) -> None:
        super().__init__()
        self._curves, self._scatter, self._bland_altman = Plot(), Plot(), Plot()
        self.addTab(self._curves, "error")
        self.addTab(self._scatter, "scatter")
        self.addTab(self._bland_altman, "Bland-Altman")

    def show_curves(self, named: Sequence[tuple[str, Curve]]) -> None:
        """Draw the error of each map against the evaluations spent on it."""
        axes = self._curves.fresh()
        for name, curve in named:
            if curve.evaluations:
                axes.loglog(curve.evaluations, curve.errors, ".-", ms=3, lw=1, label=name)
        axes.set(xlabel="evaluations", ylabel="error of the std map [%]")
        if axes.lines:
            axes.legend(fontsize=7)
        self._curves.draw_idle()

    def show_agreement(self, run: Snapshot, reference: Snapshot) -> None:
        """Draw how two maps agree, voxel by voxel inside the object."""
        comparison = comparison_of(run.result, reference.result)
        inside = run.result.object
        x, y = (estimate_of(each.result).variance_magnitude.sqrt()[inside].numpy() for each in (reference, run))
        names = [each.result.experiment.variance.kind for each in (run, reference)]
        scatter(self._scatter.fresh(), x, y, names, comparison)
        bland_altman(self._bland_altman.fresh(), x, y, comparison)
        for plot in (self._scatter, self._bland_altman):
            plot.draw_idle()
