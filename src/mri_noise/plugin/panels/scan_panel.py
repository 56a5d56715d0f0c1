"""Which scan, and which of its slices; what else of it to show."""

from napari.components import ViewerModel
from napari.utils.notifications import show_error
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from mri_noise.io.formats import open_scan
from mri_noise.io.samples import counted
from mri_noise.plugin.canvas.layers import add_layer
from mri_noise.plugin.forms.editors import leave_wheel_to_scrolling, let_shrink
from mri_noise.plugin.forms.forms import LABEL_WIDTH, SPACING
from mri_noise.plugin.opening import scan_layer, scan_of, scans_of, tell_scans_apart, view_layer
from mri_noise.plugin.viewers import show_slice, shown_slice
from mri_noise.plugin.widgets.sections import AMBER, MUTED, buttons, unbroken
from mri_noise.session.identities import Identity, distinct_names, distinct_titles, identity
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.scans import COILS, KSPACE, MAPS, ScanView


class ScanPanel(QWidget):
    """A menu of the window's scans and the number of a slice; ``chosen`` tells that one of them changed."""

    chosen = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._scans: dict[Identity, OpenedScan] = {}
        self._names: dict[Identity, str] = {}  # what the menu offers, row by row
        self._shown: OpenedScan | None = None  # whose facts are shown
        self._menu, self._slice, self._facts = QComboBox(), QSpinBox(), QLabel()
        self._measurement, self._measurement_row = QComboBox(), QLabel("measurement")
        self.noise, self.remarks = QLabel(), QLabel()
        self._arrange()
        self.show_notes("", "")
        self._menu.currentIndexChanged.connect(lambda _row: self._choose())
        self._slice.valueChanged.connect(self._step)
        self._measurement.textActivated.connect(self.choose_measurement)
        viewer.layers.events.inserted.connect(self._list)
        viewer.layers.events.removed.connect(self._list)
        viewer.dims.events.point.connect(self._follow)
        self._list()

    def _arrange(self) -> None:
        self.noise.setStyleSheet(MUTED)
        self.remarks.setStyleSheet(f"color: {AMBER};")
        for text in (self._facts, self.noise, self.remarks):
            text.setWordWrap(True)
        for box in (self._menu, self._slice, self._measurement):
            leave_wheel_to_scrolling(box)
        let_shrink(self._menu)
        let_shrink(self._measurement)
        self._measurement.setToolTip("Which of the measurements in the file; another one takes the place of this")
        self._slice.setToolTip("Slice that Run computes; the slider under the image follows")
        rows = QFormLayout()
        rows.setHorizontalSpacing(SPACING)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, widget in (("scan", self._menu), ("slice", self._slice)):
            label = QLabel(title)
            label.setFixedWidth(LABEL_WIDTH)
            rows.addRow(label, widget)
        self._measurement_row.setFixedWidth(LABEL_WIDTH)
        rows.addRow(self._measurement_row, self._measurement)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        for text in (self._facts, self.noise, self.remarks):
            layout.addWidget(text)
        layout.addWidget(
            buttons(
                ("k-space", "Add the k-space: logarithm of its magnitude, four decades", self.add_kspace),
                ("coil images", "Add the image of each coil", self.add_coils),
                ("coil maps", "Add the coil sensitivities: of the file, or low-resolution ones", self.add_coil_maps),
            )
        )

    @property
    def opened(self) -> OpenedScan | None:
        """The chosen scan."""
        return None if self._chosen is None else self._scans.get(self._chosen)

    @property
    def _chosen(self) -> Identity | None:
        row = self._menu.currentIndex()
        return list(self._names)[row] if row >= 0 else None

    @property
    def index(self) -> int:
        """The chosen slice."""
        return self._slice.value()

    def show_notes(self, noise: str, remarks: str) -> None:
        """Say what noise the scan has, and what was taken otherwise than its file says."""
        for label, text in ((self.noise, noise), (self.remarks, remarks)):
            label.setText(unbroken(text))
            label.setVisible(bool(text))

    def leave(self) -> None:
        """Stop listening to the window."""
        self._viewer.layers.events.inserted.disconnect(self._list)
        self._viewer.layers.events.removed.disconnect(self._list)
        self._viewer.dims.events.point.disconnect(self._follow)

    def _list(self, _event: object = None) -> None:
        """Offer the scans whose layers are in the window, each once; the latest of what was read from one file."""
        scans = scans_of(self._viewer)
        self._scans = {identity(opened): opened for opened in scans}
        tell_scans_apart(self._viewer)
        names = distinct_names(scans)
        if names != self._names:
            self._offer(names)
        if self.opened is not self._shown:
            self._choose()

    def _offer(self, names: dict[Identity, str]) -> None:
        """Fill the menu, and choose what was chosen, or the first."""
        chosen, self._names = self._chosen, names
        self._menu.blockSignals(True)
        self._menu.clear()
        self._menu.addItems(list(names.values()))
        for row, key in enumerate(names):
            self._menu.setItemData(row, str(self._scans[key].path), Qt.ItemDataRole.ToolTipRole)
        if chosen in names:
            self._menu.setCurrentIndex(list(names).index(chosen))
        self._menu.blockSignals(False)

    def _choose(self) -> None:
        self._shown = opened = self.opened
        self._facts.setText("" if opened is None else facts(opened))
        self._offer_measurements()
        self._menu.setToolTip("" if opened is None else str(opened.path))
        if opened is not None:
            self._slice.setRange(0, len(opened.scan) - 1)
            self._follow()
        self.chosen.emit()

    def _offer_measurements(self) -> None:
        """List what the file holds, where that is more than one measurement."""
        scan = None if self.opened is None else self.opened.scan
        names, contents = ((), ()) if scan is None else (scan.measurements, scan.contents)
        self._measurement.clear()
        for name, content in zip(names, contents, strict=True):
            self._measurement.addItem(name)
            self._measurement.setItemData(self._measurement.count() - 1, content, Qt.ItemDataRole.ToolTipRole)
        self._measurement.setCurrentText("" if scan is None else scan.measurement)
        for widget in (self._measurement_row, self._measurement):
            widget.setVisible(len(names) > 1)

    def choose_measurement(self, name: str) -> None:
        """Open another measurement of the file in the place of the chosen one."""
        former = self.opened
        if former is None or name == former.scan.measurement:
            return
        try:
            opened = OpenedScan(open_scan(former.path, name), former.path)
            made = scan_layer(opened)
        except (ValueError, OSError) as error:
            show_error(str(error))
            self._measurement.setCurrentText(former.scan.measurement)
            return
        replaced = [layer for layer in self._viewer.layers if scan_of(layer) is former]
        add_layer(self._viewer, made)
        for layer in replaced:
            self._viewer.layers.remove(layer)

    def _step(self, index: int) -> None:
        if self.opened is not None:
            show_slice(self._viewer, index, self.opened.scan.voxel_size)
        self.chosen.emit()

    def _follow(self, _event: object = None) -> None:
        """Choose the slice that the slider under the image shows."""
        if self.opened is not None:
            self._slice.setValue(shown_slice(self._viewer, self.opened.scan.voxel_size))

    def add_kspace(self) -> None:
        """Show the k-space."""
        self._add(KSPACE)

    def add_coils(self) -> None:
        """Show the coil images."""
        self._add(COILS)

    def add_coil_maps(self) -> None:
        """Show the coil sensitivities."""
        self._add(MAPS)

    def _add(self, view: ScanView) -> None:
        if self.opened is not None:
            titles = distinct_titles(list(self._scans.values()))
            add_layer(self._viewer, view_layer(self.opened, view, titles[identity(self.opened)]))


def facts(opened: OpenedScan) -> str:
    """What a scan is, in two lines, and which measurement of several in a third."""
    scan = opened.scan
    size = "" if scan.voxel_size is None else " x ".join(f"{length:.3g}" for length in scan.voxel_size) + " mm, "
    matrix = f"{scan.matrix[0]} x {scan.matrix[1]}"
    of_several = f"\n{scan.choice}" if len(scan.measurements) > 1 else ""
    slices = counted(scan.labels) if "(" in counted(scan.labels) else _counted(len(scan), "slice")
    return f"{slices}, {_counted(scan.n_coils, 'coil')}, {matrix}\n{size}{scan.layout}{of_several}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"
