"""Noise that can be seen: realisations of the image with its noise, played as a film."""

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.forms.editors import leave_wheel_to_scrolling
from mri_noise.plugin.viewers import show_slice
from mri_noise.plugin.widgets.sections import button
from mri_noise.plugin.window import Window
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.session.sweeps.films import Film, film, film_layer

_FRAME = 100  # [ms]


class FilmPanel(QWidget):
    """How many frames, how much amplified, Draw and Play; what is said stands below."""

    def __init__(self, shared: Window) -> None:
        super().__init__()
        self._shared, self._runner, self._shelf = shared, Runner(), Shelf(shared.viewer)
        self._film: Film | None = None
        self.n_frames, self.amplification = QSpinBox(), QDoubleSpinBox()
        self.said, self._timer = QLabel(), QTimer(self)
        self.play = QPushButton("Play")
        self._arrange()
        self._timer.setInterval(_FRAME)
        self._timer.timeout.connect(self._step)
        self.play.toggled.connect(self._played)
        self.amplification.valueChanged.connect(lambda _value: self._show())
        runner = self._runner
        self.destroyed.connect(lambda *_: runner.leave())

    @property
    def busy(self) -> bool:
        """Whether frames are on their way."""
        return self._runner.busy

    def draw(self) -> None:
        """Draw noise and propagate it to the image of the run that is shown."""
        session, cache = self._shared.session, self._shared.cache
        run, opened, n_frames = session.shown, session.opened, self.n_frames.value()
        if run is None or opened is None:
            self.said.setText("A film needs a run of the open scan.")
            return
        self._shelf.renew()
        handlers = Handlers(self._take_in, self._end, self._end, self.said.setText)
        self._runner.start(lambda: film(run, opened, n_frames, cache), handlers)

    def _take_in(self, made: Film) -> None:
        self._film = made
        first = not self._shelf.present()
        self._show()
        if first:
            result = made.run.result
            show_slice(self._shared.viewer, result.index, result.provenance.voxel_size)
        self.said.setText(f"{len(made.noise)} of {made.n_frames} frames")

    def _end(self) -> None:
        if self._film is not None:
            self.said.setText(f"{len(self._film.noise)} frames of {self._film.run.job.name}")
            self.play.setChecked(True)

    def _show(self) -> None:
        if self._film is not None:
            self._shelf.show([film_layer(self._film, self.amplification.value())], self._film.run.result)

    def _played(self, on: bool) -> None:
        self.play.setText("Stop" if on else "Play")
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    def _step(self) -> None:
        """Show the next frame; stop where the layer is gone."""
        dims = self._shared.viewer.dims
        if not self._shelf.present() or self._film is None or dims.ndim < 4:
            self.play.setChecked(False)
            return
        axis = dims.ndim - 4
        dims.set_current_step(axis, (int(dims.current_step[axis]) + 1) % len(self._film.noise))

    def _arrange(self) -> None:
        self.n_frames.setRange(2, 200)
        self.n_frames.setValue(20)
        self.n_frames.setToolTip("Realisations of the noise, one a frame")
        self.amplification.setRange(0, 100)
        self.amplification.setValue(1)
        self.amplification.setPrefix("noise x ")
        self.amplification.setToolTip("Makes noise that is too small to be seen visible")
        self.play.setCheckable(True)
        self.play.setToolTip("Play the frames, again and again")
        for box in (self.n_frames, self.amplification):
            leave_wheel_to_scrolling(box)
        self.n_frames.setSuffix(" frames")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        draw = button("Film of the noise", "The image plus its linearised noise, x + J n, for n drawn", self.draw)
        for pair in ((self.n_frames, self.amplification), (draw, self.play)):
            row = QHBoxLayout()
            row.setSpacing(3)
            for widget in pair:
                row.addWidget(widget)
            layout.addLayout(row)
        layout.addWidget(self.said)
