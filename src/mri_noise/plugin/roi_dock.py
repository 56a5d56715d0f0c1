"""The dock "ROI noise": draw regions, read their noise and the exact error bar of their means."""

from pathlib import Path

import pandas as pd
from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog, QLabel, QVBoxLayout, QWidget

from mri_noise.plugin.region_layer import RegionLayer
from mri_noise.plugin.sections import StatusLine, buttons
from mri_noise.plugin.tables import Table
from mri_noise.plugin.window import window_of
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.report import write_table
from mri_noise.roi import Roi
from mri_noise.session.jobs import Snapshot
from mri_noise.session.layers import geometry
from mri_noise.session.readouts import RegionReadout, read_regions
from mri_noise.session.regions import region_table
from mri_noise.session.state import Status

_NO_RUN = Status("missing", "No map: run the dock MRI noise first, then draw regions.")
_NO_REGION = Status("ready", "Draw a region on the image: the numbers follow the mouse, exact error bars its release.")


class RoiDock(QWidget):
    """Regions of the run that is shown: the table follows a drag, and the exact error bars come on release."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.shared, self._runner = window_of(napari_viewer), Runner()
        self.regions = RegionLayer(napari_viewer, self.refresh, self.commit)
        self.table, self.contrast, self.status = Table(), QLabel(), StatusLine()
        self._exact: tuple[tuple[Roi, ...], int, RegionReadout] | None = None
        self._seen: Snapshot | None = None
        self.contrast.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._tools())
        layout.addWidget(self.table, 1)
        layout.addWidget(self.contrast)
        layout.addWidget(self.status)
        self.setMinimumWidth(300)
        self.shared.changed.connect(self._look)
        shared, look = self.shared, self._look
        self.destroyed.connect(lambda *_: shared.changed.disconnect(look))
        self._look()

    def draw(self, mode: str) -> None:
        """Draw in a mode of napari's shapes: ``add_rectangle``, ``add_ellipse``, ``add_polygon``, ``select``."""
        shown = self.shared.session.shown
        size = None if shown is None else shown.result.provenance.voxel_size
        self.regions.draw(mode, geometry(size))

    def refresh(self) -> None:
        """Show the numbers of the regions as they are now."""
        shown = self._seen
        rois = () if shown is None else self.regions.rois(shown.job.index)
        if shown is None or not rois:
            self.table.show_frame(pd.DataFrame())
            self.contrast.setText("")
            self.status.show_status(_NO_RUN if shown is None else _NO_REGION)
            return
        replicas = self.shared.session.replicas_of(shown)
        beside = None if replicas is None else replicas.result
        table = region_table(shown.result, rois, beside).set_index("region")
        known = self._exact is not None and self._exact[:2] == (rois, shown.job.number)
        if known and self._exact is not None:
            table = table.join(self._exact[2].table.set_index("region"))
            self.contrast.setText(self._exact[2].contrast)
        self.table.show_frame(table.T)
        said = f"{len(rois)} regions of {shown.job.name}, slice {shown.job.index}"
        self.status.show_status(
            Status("done", f"{said}; the std of each mean is exact to first order.")
            if known
            else Status("running", f"{said}; the exact error bars come on release.")
        )

    def commit(self) -> None:
        """Show the numbers, and compute the exact error bars of the regions."""
        self.refresh()
        shown, opened, cache = self._seen, self.shared.session.opened, self.shared.cache
        if shown is None:
            return
        rois = self.regions.rois(shown.job.index)
        self.regions.write(self.table.frame.T)
        if opened is None:
            self._complain("The exact error bars need the scan; open its file.")
        elif rois and shown.result.complete:
            handlers = Handlers(lambda readout: self._keep(rois, shown, readout), _nothing, _nothing, self._complain)
            self._runner.start(lambda: read_regions(shown, opened, rois, cache), handlers)

    def save(self, path: Path) -> None:
        """Write the table as CSV, a row a region."""
        write_table(self.table.frame.T.rename_axis("region"), path)

    def _keep(self, rois: tuple[Roi, ...], run: Snapshot, readout: RegionReadout) -> None:
        self._exact = (rois, run.job.number, readout)
        self.refresh()
        self.regions.write(self.table.frame.T)

    def _look(self) -> None:
        """Follow the run that is shown: its numbers at each snapshot, its error bars once it is complete."""
        shown = self.shared.session.shown
        mapped = shown if shown is not None and shown.result.estimate is not None else None
        if mapped is self._seen:
            return
        self._seen = mapped
        if mapped is not None and mapped.result.complete:
            self.commit()
        else:
            self.refresh()

    def _complain(self, sentence: str) -> None:
        self.status.show_status(Status("failed", sentence))

    def _tools(self) -> QWidget:
        return buttons(
            ("▭", "Draw rectangles", lambda: self.draw("add_rectangle")),
            ("◯", "Draw ellipses", lambda: self.draw("add_ellipse")),
            ("⬠", "Draw polygons: a vertex a click, Escape ends", lambda: self.draw("add_polygon")),
            ("edit", "Move, turn and delete regions", lambda: self.draw("select")),
            ("CSV …", "Save the table", self._ask),
        )

    def _ask(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the table", "regions.csv", "Table (*.csv)")
        if name:
            self.save(Path(name))


def _nothing() -> None:
    """Do nothing: the table says all."""
