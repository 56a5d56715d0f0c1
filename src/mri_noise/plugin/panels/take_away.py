"""Leave with the work: results, the experiment, a command or a program that gives the same map."""

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton, QWidget

from mri_noise.atomic import replacing
from mri_noise.experiment import read_experiment
from mri_noise.io.nifti import save_nifti, volume_paths
from mri_noise.io.results import load_experiment, load_results, save_results
from mri_noise.plugin.forms.experiment_form import ExperimentForm
from mri_noise.plugin.window import Window
from mri_noise.session.jobs import Snapshot
from mri_noise.session.scripts import as_command, as_python
from mri_noise.settings import SettingsError

_RESULTS = "Results (*.h5);;NIfTI volumes (*.nii.gz)"
_EXPERIMENT = "Experiment (*.yaml)"
_EXPERIMENTS = "Experiments and results (*.yaml *.yml *.h5)"


class TakeAway(QPushButton):
    """A menu of all that can be saved, copied and loaded."""

    def __init__(self, shared: Window, form: ExperimentForm) -> None:
        super().__init__()
        self._shared, self._form = shared, form
        self.setText("Save")
        self.setToolTip("Save, load or copy the run that is shown")
        menu = QMenu(self)
        for text, action in (
            ("Save results …", lambda: _to_file(self, "Save results", _RESULTS, self.save_results)),
            ("Load results …", lambda: _from_file(self, "Load results", "Results (*.h5)", self.load_results)),
            ("Save experiment …", lambda: _to_file(self, "Save experiment", _EXPERIMENT, self.save_experiment)),
            ("Load experiment …", lambda: _from_file(self, "Load experiment", _EXPERIMENTS, self.load_experiment)),
            ("Copy as command", lambda: _said(self.copy_command)),
            ("Copy as Python", lambda: _said(self.copy_python)),
        ):
            menu.addAction(text).triggered.connect(lambda _=False, action=action: action())
        self.setMenu(menu)

    def save_results(self, path: Path) -> None:
        """Save the run that is shown: HDF5, or a NIfTI volume of each map."""
        results = [self._shown().result]
        if path.name.endswith((".nii", ".nii.gz")):
            self._require_unread(*volume_paths(path))
            save_nifti(results, path)
        else:
            self._require_unread(path)
            save_results(results, path)

    def load_results(self, path: Path) -> None:
        """Load a saved run into the same layers, and its experiment into the form."""
        for result in load_results(path):
            self._shared.load(result)
        self._form.value = result.experiment

    def save_experiment(self, path: Path) -> None:
        """Save what the form says, as YAML for ``mri-noise run --experiment``."""
        self._require_unread(path)
        with replacing(path) as draft:
            draft.write(self._form.value.to_yaml().encode())

    def load_experiment(self, path: Path) -> None:
        """Fill the form from YAML, or from a saved result."""
        is_result = path.suffix in (".h5", ".hdf5")
        self._form.value = load_experiment(path).experiment if is_result else read_experiment(path)

    def copy_command(self) -> None:
        """Copy the command that repeats the run that is shown."""
        self._copy(as_command)

    def copy_python(self) -> None:
        """Copy the Python program that repeats the run that is shown."""
        self._copy(as_python)

    def _require_unread(self, *paths: Path) -> None:
        try:
            named = [self._form.value]
        except SettingsError:  # what does not fit is not read
            named = []
        self._shared.require_unread(*paths, experiments=named)

    def _copy(self, write: Callable[..., str]) -> None:
        shown = self._shown()
        if shown.job.opened is None:
            raise ValueError(f"{shown.job.name} came from a file, and where its scan is is not known; run it again")
        chosen = shown.result.provenance.measurement
        clipboard = QApplication.clipboard()
        clipboard.setText(write(shown.job.opened.path, shown.job.index, shown.result.experiment, measurement=chosen))
        whole = " It computes the whole map, of which this run has a part." if shown.stopped else ""
        show_info(f"Copied: paste it into a shell or an editor.{whole}")

    def _shown(self) -> Snapshot:
        shown = self._shared.session.shown
        if shown is None or not shown.final:
            raise ValueError("there is no finished run to take away; press Run, and wait for its end")
        return shown


def _to_file(parent: QWidget, title: str, kinds: str, save: Callable[[Path], None]) -> None:
    name, _ = QFileDialog.getSaveFileName(parent, title, "", kinds)
    if name:
        _said(lambda: save(Path(name)), f"Written: {name}")


def _from_file(parent: QWidget, title: str, kinds: str, load: Callable[[Path], None]) -> None:
    name, _ = QFileDialog.getOpenFileName(parent, title, "", kinds)
    if name:
        _said(lambda: load(Path(name)))


def _said(action: Callable[[], None], done: str = "") -> None:
    """Do something; say in one sentence why it failed, or that it is done."""
    try:
        action()
    except (ValueError, OSError) as error:
        show_error(str(error))
    else:
        if done:
            show_info(done)
