"""The form of an experiment, in sections."""

from magicgui.widgets import LineEdit
from psygnal import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from mri_noise.experiment import Experiment
from mri_noise.plugin.forms.forms import LABEL_WIDTH, SPACING, ChoiceForm, SettingsForm, column
from mri_noise.plugin.widgets.sections import Section
from mri_noise.settings import SettingsError
from mri_noise.variance.method import VarianceMethod

_SECTIONS = {
    "Undersampling": ("undersampling",),
    "Noise level": ("noise", "noise_scale", "added_noise"),
    "Model": ("reconstruction",),
    "Noise map": ("variance",),
    "Advanced": ("coils", "prewhiten", "linearity", "object", "precision", "tangents", "device", "seed"),
}
_FOLDED = ("Noise level", "Advanced")


class ExperimentForm:
    """Every choice of an experiment but its regions, which are drawn; ``changed`` tells of an entry."""

    changed = Signal()

    def __init__(self) -> None:
        self._form = SettingsForm(Experiment)
        self._target = LineEdit()
        self.editors = self._form.editors
        self.sections = {title: self._section(title, names) for title, names in _SECTIONS.items()}
        self._target_row = self._make_target_row()
        self.sections["Noise map"].rows.addWidget(self._target_row)
        self._form.changed.connect(self._tell)
        self._target.changed.connect(self._tell)
        self._tell()

    @property
    def value(self) -> Experiment:
        """The experiment; SettingsError where an entry does not fit."""
        value = self._form.value
        assert isinstance(value, Experiment)
        return value

    @value.setter
    def value(self, value: Experiment) -> None:
        self._form.value = value

    @property
    def target(self) -> float | None:
        """The error of the map [%] at which a run stops; SettingsError if it is no positive number."""
        text = self._target.value.strip()
        if not text or not self._can_stop:
            return None
        try:
            target = float(text)
        except ValueError:
            target = 0.0
        if target > 0:
            return target
        raise SettingsError(f"stop at error: expected a percentage above 0, or nothing, got '{text}'")

    @target.setter
    def target(self, target: float | None) -> None:
        self._target.value = "" if target is None else f"{target:g}"

    @property
    def _can_stop(self) -> bool:
        """Whether the method adds samples until it is told to stop; others plan them, or take every voxel."""
        method = self.editors["variance"]
        return isinstance(method, ChoiceForm) and issubclass(method.chosen, VarianceMethod) and method.chosen.can_stop

    def _tell(self) -> None:
        self._target_row.setVisible(self._can_stop)
        self.changed.emit()

    def _section(self, title: str, names: tuple[str, ...]) -> Section:
        section = Section(title, folded=title in _FOLDED)
        section.rows.addWidget(column(Experiment, self._form.editors, names))
        return section

    def _make_target_row(self) -> QWidget:
        tip = "Stop before the last sample once the map's own relative error [%] is below this"
        widget, label = QWidget(), QLabel("stop at error")
        row = QFormLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        label.setFixedWidth(LABEL_WIDTH)
        row.setHorizontalSpacing(SPACING)
        for each in (label, self._target.native):
            each.setToolTip(tip)
        self._target.native.setPlaceholderText("5 for 5 %; empty: never")
        row.addRow(label, self._target.native)
        return widget
