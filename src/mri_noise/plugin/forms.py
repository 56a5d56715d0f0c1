"""A form for any settings class: the one place that turns choices into widgets and back."""

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from magicgui.widgets import ComboBox
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from mri_noise.plugin.editors import Editor, leave_wheel_to_scrolling, plain_editor
from mri_noise.plugin.words import title_of_field, title_of_kind
from mri_noise.settings import Settings

LABEL_WIDTH = 88


class SettingsForm(Editor):
    """A form with a row for each setting; ``value`` is the settings.

    Parameters
    ----------
    cls
        The settings class.
    presets
        For the choice of each name: ready values that its menu offers by name.
    """

    def __init__(self, cls: type[Settings], presets: Mapping[str, Mapping[str, Settings]] | None = None) -> None:
        self._cls = cls
        offered = presets or {}
        fields = {name: field for name, field in cls.model_fields.items() if name != "kind"}
        self.editors = {name: editor_of(name, field, offered.get(name, {})) for name, field in fields.items()}
        for name, field in fields.items():
            if not field.is_required():
                self.editors[name].value = field.get_default(call_default_factory=True)
            self.editors[name].changed.connect(self.tell)
        self._native: QWidget | None = None

    @property
    def value(self) -> Settings:
        return self._cls.parse({name: editor.value for name, editor in self.editors.items()})

    @value.setter
    def value(self, value: Settings) -> None:
        for name, editor in self.editors.items():
            editor.value = getattr(value, name)

    @property
    def native(self) -> QWidget:
        if self._native is None:
            self._native = column(self._cls, self.editors, tuple(self.editors))
        return self._native


class ChoiceForm(Editor):
    """A menu of kinds, and the form of the kind that is chosen; each kind remembers its entries.

    Parameters
    ----------
    classes
        Settings classes, told apart by their ``kind``.
    presets
        Ready values that the menu offers first.
    """

    def __init__(self, classes: Sequence[type[Settings]], presets: Mapping[str, Settings]) -> None:
        self._classes = {cls.model_fields["kind"].default: cls for cls in classes}
        self._presets = dict(presets)
        self._forms: dict[str, SettingsForm] = {}
        kinds = [(title_of_kind(kind), kind) for kind in self._classes]
        self._menu = ComboBox(choices=[*((name, name) for name in presets), *kinds])
        leave_wheel_to_scrolling(self._menu.native)
        self._native = QWidget()
        self._rows = QVBoxLayout(self._native)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(4)
        self._menu.changed.connect(self._show)
        self._show()

    @property
    def native(self) -> QWidget:
        return self._native

    @property
    def menu(self) -> QWidget:
        """The menu of kinds, to be placed in a row of its own."""
        return self._menu.native

    @property
    def value(self) -> Settings:
        chosen = self._menu.value
        return self._presets[chosen] if chosen in self._presets else self._form(chosen).value

    @value.setter
    def value(self, value: Settings) -> None:
        names = [name for name, preset in self._presets.items() if preset == value]
        kind = type(value).model_fields["kind"].default
        if not names:
            self._form(kind).value = value
        self._menu.value = names[0] if names else kind

    def _form(self, kind: str) -> SettingsForm:
        if kind not in self._forms:
            form = SettingsForm(self._classes[kind])
            form.changed.connect(self.tell)
            self._forms[kind] = form
            self._rows.addWidget(form.native)
        return self._forms[kind]

    def _show(self) -> None:
        chosen = self._menu.value
        if chosen in self._classes:
            self._form(chosen)
        for kind, form in self._forms.items():
            form.native.setVisible(kind == chosen and bool(form.editors))
        self.tell()


def editor_of(name: str, field: FieldInfo, presets: Mapping[str, Settings]) -> Editor:
    """The editor of any field of a settings class."""
    classes = _settings_in(field.annotation)
    if len(classes) == 1:
        return SettingsForm(classes[0])
    if classes:
        return ChoiceForm(classes, presets)
    return plain_editor(name, field)


def _settings_in(annotation: Any) -> list[type[Settings]]:
    """The settings classes that an annotation chooses from; none for those inside of tuples."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return _settings_in(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        found = [_settings_in(member) for member in get_args(annotation)]
        return [cls for classes in found for cls in classes] if all(found) else []
    return []


def column(cls: type[Settings], editors: Mapping[str, Editor], names: Sequence[str]) -> QWidget:
    """Some editors of a settings class below each other, with titles and tooltips."""
    widget = QWidget()
    rows = QFormLayout(widget)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name in names:
        _add_row(rows, name, editors[name], cls.model_fields[name].description or "")
    return widget


def _add_row(rows: QFormLayout, name: str, editor: Editor, description: str) -> None:
    native = editor.native
    native.setToolTip(description)
    if isinstance(editor, ChoiceForm):
        editor.menu.setToolTip(description)
        rows.addRow(_label(name, description), editor.menu)
        rows.addRow(native)
    elif isinstance(editor, SettingsForm):
        rows.addRow(native)
    elif getattr(native, "isCheckable", lambda: False)():
        rows.addRow(_label("", ""), native)
    else:
        rows.addRow(_label(name, description), native)


def _label(name: str, description: str) -> QLabel:
    label = QLabel(title_of_field(name))
    label.setFixedWidth(LABEL_WIDTH)
    label.setWordWrap(True)
    label.setToolTip(description)
    return label
