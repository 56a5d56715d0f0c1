"""The dock "ROI noise": draw regions, read their noise and the error bar of their means, exact to first order."""

from collections.abc import Callable
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from mri_noise.plugin.canvas.region_layer import RegionLayer
from mri_noise.plugin.docks.docking import share_place
from mri_noise.plugin.widgets.sections import MUTED, StatusLine, buttons
from mri_noise.plugin.widgets.table_file import csv_button
from mri_noise.plugin.widgets.tables import Table
from mri_noise.plugin.window import window_of
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.report import write_table
from mri_noise.result import Result
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layer_data import DATA_UNITS, Geometry, geometry
from mri_noise.session.regions.readouts import Readouts, RegionQuestion, read_regions
from mri_noise.session.regions.region_table import (
    MEANINGS,
    SAME_UNITS,
    contrast_question,
    questions,
    region_table,
    with_units,
)
from mri_noise.session.regions.regions import MONTE_CARLO_STD, STD_OF_COMPLEX_MEAN
from mri_noise.session.state import Status
from mri_noise.session.verdicts import NOT_LINEAR, doubt

_NO_RUN = Status("missing", "No map: run the dock MRI noise first, then draw regions.")
_NO_REGION = Status(
    "ready", "Draw a region on the image: its figures follow the mouse, error bars of means its release."
)
_SHORT = {STD_OF_COMPLEX_MEAN: "complex std", MONTE_CARLO_STD: "replicas"}
_UNITS = f"Signal and std in [{DATA_UNITS}]; titles have tooltips."
_MARGIN = 4  # [pixels]: as little as possible beside a table


class RoiDock(QWidget):
    """Regions of the run that is shown: the table follows a drag, and the error bars of means come on release."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.shared, self._runner = window_of(napari_viewer), Runner()
        self.regions = RegionLayer(napari_viewer, self.refresh, self.find_exact, self.commit)
        self.table, self.status, self.everywhere = (
            Table(short=_SHORT, meanings=MEANINGS, same_units=SAME_UNITS, amber=(NOT_LINEAR,)),
            StatusLine(),
            QCheckBox("on every slice"),
        )
        self.everywhere.setToolTip("Read each region in the runs of all slices, not only of the one it was drawn on")
        self.everywhere.toggled.connect(lambda _on: self.commit())
        self._answers: Readouts = {}
        self._seen: Snapshot | None = None
        self._n_runs = 0
        self._arrange()
        share_place(self, "ROI noise")
        self.shared.changed.connect(self._look)
        self.destroyed.connect(_farewell(self))
        self._look()
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether error bars of means are on their way."""
        return self._runner.busy

    def draw(self, mode: str) -> None:
        """Draw in a mode of napari's shapes: ``add_rectangle``, ``add_ellipse``, ``add_polygon``, ``select``."""
        self.regions.draw(mode, self._where())

    def _where(self) -> Geometry:
        """Where the voxels of the run that is shown lie; without one, those of the scan."""
        shown, opened = self.shared.session.shown, self.shared.session.opened
        if shown is not None:
            return geometry(shown.result.provenance.voxel_size)
        return geometry(None if opened is None else opened.scan.voxel_size)

    def refresh(self) -> None:
        """Show the figures of the regions as they are now."""
        asked = self._questions()
        everywhere = self.everywhere.isChecked()
        self.table.show_frame(region_table(asked, self._answers, self._replicas(asked), everywhere=everywhere).T)
        self.status.show_status(self._status(asked))

    def commit(self) -> None:
        """Show the figures, keep them as the features of the shapes, and find the exact error bars."""
        self.refresh()
        self.regions.write(self.table.frame.T)
        self.find_exact()

    def find_exact(self) -> None:
        """Compute the exact error bars that are not known yet, of the regions and of the contrast."""
        asked = self._questions()
        self._answers = {each.key: self._answers[each.key] for each in asked if each.key in self._answers}
        missing = [each for each in asked if each.key not in self._answers]
        self.refresh()
        opened, cache = self.shared.session.opened, self.shared.cache
        if missing and opened is not None:
            handlers = Handlers(self._take_in, _nothing, _nothing, self._complain)
            self._runner.start(lambda: read_regions(missing, opened, cache), handlers)

    def save(self, path: Path) -> None:
        """Write the table as CSV, a row a region."""
        self.shared.require_unread(path)
        write_table(with_units(self.table.frame.T).rename_axis("region"), path)

    def _take_in(self, answers: Readouts) -> None:
        self._answers = {**self._answers, **answers}
        self.refresh()
        self.regions.write(self.table.frame.T)

    def _questions(self) -> list[RegionQuestion]:
        """What the table asks: every region, and the contrast of two."""
        if self._seen is None:
            return []
        everywhere = self.everywhere.isChecked()
        asked = questions(self.shared.session, self._seen, self.regions.drawn(self._where()), everywhere=everywhere)
        contrast = contrast_question(asked, self.regions.selected())
        return asked if contrast is None else [*asked, contrast]

    def _replicas(self, asked: list[RegionQuestion]) -> dict[int, Result]:
        """Monte Carlo results of the same images, where there are some."""
        found = {each.run.job.number: self.shared.session.replicas_of(each.run) for each in asked}
        return {number: run.result for number, run in found.items() if run is not None and run.job.number != number}

    def _status(self, asked: list[RegionQuestion]) -> Status:
        if self._seen is None:
            return _NO_RUN
        run = self._seen.job
        if not asked:
            slices = sorted({each.index for each in self.regions.drawn(self._where())})
            return elsewhere(slices, run.index) if slices else _NO_REGION
        said = f"Regions of {run.name}, slice {run.index}"
        if all(each.key in self._answers or not each.inside for each in asked):
            if doubtful := doubt(self._seen.result):
                return Status("doubtful", f"{doubtful}; the error bars of means are linearised too. {said}.")
            return Status("done", f"{said}; shift-click two regions, in edit, for their contrast.")
        if self.shared.session.opened is None:
            return Status("stale", f"{said}; the error bars, exact to first order, need the scan: open its file.")
        return Status("running", f"{said}; the error bars, exact to first order, come on release.")

    def _look(self) -> None:
        """Follow the run that is shown: its figures at each snapshot, its error bars once it is complete."""
        shown = self.shared.session.shown
        mapped = shown if shown is not None and shown.result.estimate is not None else None
        n_runs = len(self.shared.session.runs)
        if mapped is self._seen and n_runs == self._n_runs:
            return
        self._seen, self._n_runs = mapped, n_runs
        self.regions.place(self._where())
        if mapped is not None and mapped.final:
            self.commit()
        else:
            self.refresh()

    def _complain(self, sentence: str) -> None:
        self.status.show_status(Status("failed", sentence))

    def _arrange(self) -> None:
        units = QLabel(_UNITS)
        units.setWordWrap(True)
        units.setStyleSheet(MUTED)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, 8, _MARGIN, 8)
        layout.addWidget(self._tools())
        layout.addWidget(self._choices())
        layout.addWidget(self.table, 1)
        layout.addWidget(units)
        layout.addWidget(self.status)
        self.setMinimumWidth(300)

    def _tools(self) -> QWidget:
        return buttons(
            ("▭", "Draw rectangles", lambda: self.draw("add_rectangle")),
            ("◯", "Draw ellipses", lambda: self.draw("add_ellipse")),
            ("⬠", "Draw polygons: a vertex a click, Escape ends", lambda: self.draw("add_polygon")),
            ("edit", "Select, move, resize and turn regions", lambda: self.draw("select")),
            ("delete", "Delete the selected regions", self.regions.delete),
        )

    def _choices(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.everywhere, 1)
        layout.addWidget(csv_button(self, "Write the table, a row a region", "regions.csv", self.save, self._complain))
        return row


def elsewhere(slices: list[int], index: int) -> Status:
    """What to do about regions that lie on no slice with a map."""
    where = ", ".join(map(str, slices))
    return Status("stale", f"The regions lie on slice {where}, the map on {index}: run theirs, or tick on every slice.")


def _farewell(dock: RoiDock) -> Callable[..., None]:
    """What is done when the dock goes with its window."""
    shared, look, runner, regions = dock.shared, dock._look, dock._runner, dock.regions

    def leave(*_: object) -> None:
        runner.leave()
        regions.leave()
        shared.changed.disconnect(look)

    return leave


def _nothing() -> None:
    """Do nothing: the table says all."""
