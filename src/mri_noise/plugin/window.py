"""What the docks of one window share: its session, its layers, and what it computes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from napari.components import ViewerModel
from psygnal import Signal

from mri_noise.experiment import Experiment
from mri_noise.machine.allocation import share_freed_memory
from mri_noise.plugin.canvas.arrivals import Arrivals
from mri_noise.plugin.canvas.furniture import CanvasFurniture
from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.canvas.letters import Letters
from mri_noise.plugin.canvas.side_by_side import SideBySide
from mri_noise.plugin.canvas.whole_view import WholeView
from mri_noise.plugin.in_use import require_unread
from mri_noise.plugin.preferences import shaped
from mri_noise.plugin.viewers import is_open, show_slice
from mri_noise.plugin.worker import SILENT, Handlers, Runner
from mri_noise.result import Result
from mri_noise.session.jobs import Job, OpenedScan, SharedCache, Snapshot, ahead, snapshots
from mri_noise.session.layer_data import DEFAULT_QUANTITIES, ON_DEMAND_QUANTITIES, QUANTITIES, image_layers, map_layers
from mri_noise.session.state import Session
from mri_noise.session.sweeps.curves import Curve
from mri_noise.variance.sampling.monte_carlo import MonteCarlo


class Window:
    """The session of one napari window, and what happens to it; ``changed`` tells that something did."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.session = Session()
        self.cache = SharedCache()
        self.shelf = Shelf(viewer)
        self.grid = SideBySide(viewer)
        self._whole = WholeView(viewer)
        self._arrivals, self._letters = Arrivals(self.shelf), Letters(viewer)
        self._runner, self._ahead = Runner(), Runner()
        self._furniture = CanvasFurniture(viewer, lambda: self.session, self._letters.stop)
        self._curves: dict[int, Curve] = {}

    @property
    def busy(self) -> bool:
        """Whether a thread computes, or layers are still to come."""
        return self._runner.busy or not self._arrivals.settled

    def open(self, opened: OpenedScan, index: int) -> None:
        """Choose a scan and a slice, and show that slice."""
        self._become(self.session.with_scan(opened, index))

    def choose(self, experiment: Experiment, target: float | None) -> None:
        """Take over what the form says."""
        self._become(self.session.with_choices(experiment, target))

    def load(self, result: Result) -> None:
        """Take in a result from a file, and show it."""
        after = self.session.with_loaded(result)
        if after.shown is not None:
            self.shelf.renew()
            self.show(after.shown)
            show_slice(self.viewer, result.index, result.provenance.voxel_size)
        self._become(after)

    def prepare(self) -> None:
        """Find the coil maps and draw letters while the user looks at the scan; what does not work is said in a run."""
        self._letters.draw_ahead()
        session = self.session
        opened, index, experiment = session.opened, session.index, session.experiment
        if opened is not None and session.can_run:
            found = replace(SILENT, on_step=lambda prepared: self._become(self.session.with_prepared(opened, prepared)))
            self._ahead.start(lambda: ahead(opened, index, experiment, self.cache), found)

    def run(self) -> None:
        """Run the present choices; a run that is on is cancelled first.

        Raises
        ------
        ValueError
            If there is no scan.
        """
        after, job = self.session.superseded().started()
        self.shelf.renew()
        handlers = Handlers(
            on_step=self._take_in,
            on_end=lambda: self._end(job.number, Session.finished),
            on_cancelled=lambda: self._end(job.number, Session.cancelled),
            on_error=lambda sentence: self._end(job.number, lambda session: session.failed(sentence)),
        )
        self._become(after)
        self._runner.start(lambda: snapshots(job, self.cache), handlers)

    def complain(self, sentence: str) -> None:
        """Say that the form holds something that does not fit."""
        self._become(self.session.with_fault(sentence))

    def aside(self, run: Snapshot, variance: MonteCarlo) -> Job:
        """Number a computation of replicas beside what is shown; ValueError if the scan of the run is not open."""
        after, job = self.session.aside(run, variance)
        self._become(after)
        return job

    def beside(self, experiments: Sequence[Experiment]) -> tuple[Job, ...]:
        """Number computations of the chosen slice beside what is shown; ValueError if there is no scan."""
        after, jobs = self.session.beside(experiments)
        self._become(after)
        return jobs

    def show_again(self, run: Snapshot) -> None:
        """Show a finished run in the layers of the present one, and its slice."""
        self.shelf.renew()
        self.show(run)
        self._become(self.session.with_shown(run))
        show_slice(self.viewer, run.result.index, run.result.provenance.voxel_size)

    def keep(self, run: Snapshot) -> None:
        """Keep a run that was computed beside what is shown."""
        self._become(self.session.with_kept(run))

    def curve_of(self, number: int) -> Curve:
        """How the error of a run fell."""
        return self._curves.get(number, Curve())

    def require_unread(self, *paths: Path, experiments: Sequence[Experiment] = ()) -> None:
        """Raise ValueError if one of these files is read here, or named by a form, and so must not be written."""
        require_unread(paths, self.viewer, self.session, experiments=experiments)

    def cancel(self) -> None:
        """Stop the run that is on, and keep what it reached."""
        self._runner.cancel()
        self._become(self.session.asked_to_stop())

    def leave(self) -> None:
        """End with the window: stop the run that is on, and add no more layers."""
        self._runner.cancel()
        self._ahead.leave()
        self._arrivals.stop()
        self._letters.stop()
        self._furniture.leave()
        self._whole.leave()

    def _take_in(self, snapshot: Snapshot) -> None:
        after = self.session.received(snapshot)
        if after is not self.session and is_open(self.viewer):
            number = snapshot.job.number
            self._curves[number] = self.curve_of(number).extended(snapshot.result)
            self.show(snapshot)
            self._become(after)

    def _end(self, number: int, change: Callable[[Session], Session]) -> None:
        """End a run, unless another one has taken its place; show what is kept of it, or the run before it."""
        job = self.session.job
        if job is None or job.number != number:
            return
        after = change(self.session)
        if after.shown is not None and after.shown is not self.session.shown and is_open(self.viewer):
            self.show(after.shown)
        self._become(after)

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot in the layers of the present run."""
        result, name = snapshot.result, snapshot.job.name
        first = snapshot.result.estimate is None
        specs = image_layers(result, name, snapshot.reference) if first or snapshot.final else ()
        keys = self._all_maps(result) if snapshot.final else self._looked_at()
        self._arrivals.show(map(shaped, (*specs, *map_layers(result, name, keys))), result)

    def _all_maps(self, result: Result) -> list[str]:
        """The maps of every run, and those that were added; an added one that the run does not know is taken away."""
        added = [key for key in ON_DEMAND_QUANTITIES if key in self.shelf]
        for key in added:
            if not QUANTITIES[key].known(result):
                self.shelf.remove(key)
        return [*DEFAULT_QUANTITIES, *(key for key in added if key in self.shelf)]

    def _looked_at(self) -> list[str]:
        """The maps that are visible or still to come; to draw hidden ones at each step would only slow the window."""
        present = self.shelf.present()
        return [key for key in DEFAULT_QUANTITIES if key not in self.shelf or (key in present and present[key].visible)]

    def _become(self, session: Session) -> None:
        self.session = session
        if is_open(self.viewer):
            self._furniture.draw()
        self.changed.emit()


_WINDOWS: WeakValueDictionary[int, Window] = WeakValueDictionary()


def session_of(viewer: ViewerModel | None) -> Session:
    """What the window of a viewer knows; nothing where it has none of our docks."""
    window = None if viewer is None else _WINDOWS.get(hash(viewer))
    return Session() if window is None else window.session


def window_of(viewer: ViewerModel) -> Window:
    """The window of a viewer: the same for all its docks, and gone with the last of them."""
    window = _WINDOWS.get(hash(viewer))
    if window is None:
        share_freed_memory()
        window = _WINDOWS[hash(viewer)] = Window(viewer)
    return window
