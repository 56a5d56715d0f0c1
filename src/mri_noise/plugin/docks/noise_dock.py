"""The dock "MRI noise": choose, run, watch the map refine."""

from collections.abc import Callable
from contextlib import suppress

from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from mri_noise.acquisition.masks import Undersampling
from mri_noise.choices import code_in
from mri_noise.plugin.canvas.keys import bind_component_keys
from mri_noise.plugin.canvas.tiles import Tiles
from mri_noise.plugin.forms.experiment_form import ExperimentForm
from mri_noise.plugin.panels.scan_panel import ScanPanel
from mri_noise.plugin.panels.show_panel import ShowPanel
from mri_noise.plugin.panels.take_away import TakeAway
from mri_noise.plugin.panels.trust import agreed
from mri_noise.plugin.preferences import first_undersampling, preferences, preferred_experiment
from mri_noise.plugin.widgets.mask_picture import MaskPicture
from mri_noise.plugin.widgets.sections import MUTED, PRIMARY, Section, StatusLine, ThinBar, button, scrolling, stacked
from mri_noise.plugin.window import window_of
from mri_noise.session.jobs import OpenedScan, device_note
from mri_noise.settings import SettingsError

_PAUSE = 200  # [ms] after an entry, before it is taken over
_LIVE_PAUSE = 700  # [ms] after an entry, before a live run starts


class NoiseDock(QWidget):
    """Scan, choices, Run and Cancel, and a sentence that says what is missing, running, stale or done.

    A dock that is closed is only hidden: a run goes on, and its layers refine. With the window, it ends.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        bind_component_keys()
        self.shared = window_of(napari_viewer)
        self.scan, self.form, self._mask = ScanPanel(napari_viewer), ExperimentForm(), MaskPicture()
        self.form.value = preferred_experiment()
        self._suited: OpenedScan | None = None  # the scan for which a mask was suggested
        self._suggesting = self._mask_is_chosen = False
        self.form.editors["undersampling"].changed.connect(self._remember_choice)
        self.form.sections["Undersampling"].rows.addWidget(self._mask)
        self._prepared: OpenedScan | None = None  # the scan whose coil maps were asked for
        self._entered, self._rested = _timer(self, _PAUSE), _timer(self, _LIVE_PAUSE)
        self.show_panel, self.tiles = ShowPanel(self.shared), Tiles(napari_viewer, self.shared.shelf)
        self._arrange()
        self._entered.timeout.connect(self._take_over)
        self._rested.timeout.connect(self._run_live)
        self.form.changed.connect(self._wait)
        self.scan.chosen.connect(self._suit)
        self.shared.changed.connect(self._refresh)
        self.destroyed.connect(_farewell(self))
        self._suit()

    def _arrange(self) -> None:
        scan, shown = Section("Scan"), Section("Show")
        scan.rows.addWidget(self.scan)
        shown.rows.addWidget(self.tiles)
        shown.rows.addWidget(self.show_panel)
        self.take_away = TakeAway(self.shared, self.form)
        self.run_button, self.cancel_button = QPushButton("Run"), QPushButton("Cancel")
        self.run_button.setStyleSheet(PRIMARY)
        self.live = QCheckBox("live")
        self.live.setChecked(bool(preferences().defaults.live))
        self.live.setToolTip("Run again, a short pause after each change")
        self.bar, self.status, self._device = ThinBar(), StatusLine(), QLabel()
        self._device.setWordWrap(True)
        self._device.setStyleSheet(MUTED)
        self.run_button.clicked.connect(lambda _checked: self.run())
        self.cancel_button.clicked.connect(lambda _checked: self.shared.cancel())
        pressed = QHBoxLayout()
        for widget, stretch in ((self.run_button, 3), (self.cancel_button, 3), (self.take_away, 2), (self.live, 0)):
            pressed.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolling(stacked([scan, *self.form.sections.values(), shown])), 1)
        footer = QVBoxLayout()
        footer.setContentsMargins(8, 2, 8, 8)
        footer.addLayout(pressed)
        self.advised = button("", "", self.follow_advice)
        self.advised.hide()
        for widget in (self.bar, self._device, self.status, self.advised):
            footer.addWidget(widget)
        layout.addLayout(footer)
        self.setMinimumWidth(300)

    def run(self) -> None:
        """Run what the form says now; code that a file named runs after a yes alone."""
        self._take_over()
        if not self.shared.session.can_run:
            return
        asked = self.shared.session.experiment
        trusted = agreed(self, asked)
        if trusted is None:
            return
        if trusted is not asked:
            self.form.value = trusted
            self._take_over()
        self.shared.run()

    def follow_advice(self) -> None:
        """Choose the method that is advised for what is shown, and run it."""
        advised = self.shared.session.advice
        if advised is not None:
            self.form.editors["variance"].value = advised.variance
            self.run()

    def _suit(self) -> None:
        """Undersample each scan as it allows, until the user has chosen a mask; take over what is chosen."""
        opened = self.scan.opened
        if opened is not None and opened is not self._suited and not self._mask_is_chosen:
            self._suited = opened
            with suppress(ValueError, OSError):  # the run says what is wrong with a slice that cannot be read
                self._suggest(first_undersampling(opened.scan[self.scan.index]))
        self._take_over()
        if opened is not None and opened is not self._prepared:
            self._prepared = opened
            self.shared.prepare()

    def _suggest(self, undersampling: Undersampling) -> None:
        self._suggesting = True
        self.form.editors["undersampling"].value = undersampling
        self._suggesting = False

    def _remember_choice(self) -> None:
        """Leave the mask to the user from the first entry on."""
        self._mask_is_chosen = self._mask_is_chosen or not self._suggesting

    def _wait(self) -> None:
        """Let a pause pass after an entry."""
        self._entered.start()

    def _take_over(self) -> None:
        """Make the entries of the form the choices of the session, or say what does not fit."""
        self._entered.stop()
        try:
            experiment = self.form.value
            target = self.form.target
        except SettingsError as error:
            self.shared.complain(str(error))
            return
        opened = self.scan.opened
        if opened is not None:
            self.shared.open(opened, self.scan.index)
        self.shared.choose(experiment, target)
        self._mask.show_mask(experiment.undersampling, opened, self.scan.index)
        if self.live.isChecked():
            self._rested.start()

    def _run_live(self) -> None:
        session = self.shared.session
        if self.live.isChecked() and session.can_run and session.wants_run and not code_in(session.experiment):
            self.shared.run()

    def _refresh(self) -> None:
        """Show the state of the session."""
        session = self.shared.session
        status = session.status
        running = status.kind == "running"
        self.status.show_status(status)
        self.scan.show_notes(*session.notes)
        self._device.setText(device_note(session.experiment))
        self.run_button.setEnabled(session.can_run)
        self.cancel_button.setEnabled(running and not session.stops)
        self.bar.share = status.progress or 0.0
        advised = session.advice
        self.advised.setVisible(advised is not None)
        if advised is not None:
            self.advised.setText(f"Run Monte Carlo, {advised.duration}")
            self.advised.setToolTip(f"{advised.words}: as long as it takes at the pace of this run")


def _timer(parent: QWidget, milliseconds: int) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    return timer


def _farewell(dock: NoiseDock) -> Callable[..., None]:
    """What is done when a dock goes with its window: its run ends, and nothing reaches the dock any more."""
    shared, parts, refresh = dock.shared, (dock.scan, dock.tiles, dock._mask), dock._refresh

    def leave(*_: object) -> None:
        shared.leave()
        shared.changed.disconnect(refresh)
        for part in parts:
            part.leave()

    return leave
