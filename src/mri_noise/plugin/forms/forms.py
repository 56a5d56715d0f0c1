"""A form for any settings class: the one place that turns choices into widgets and back."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

from magicgui.widgets import ComboBox
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from mri_noise.plugin.forms.editors import Editor, leave_wheel_to_scrolling, let_shrink, plain_editor
from mri_noise.plugin.forms.words import title_of_field, title_of_kind
from mri_noise.plugin.widgets.sections import Section
from mri_noise.settings import Settings

LABEL_WIDTH = 92  # [pixel]
SPACING = 4  # [pixel]
_EXPERT = frozenset({"n_bundles", "n_signs", "shrink", "share_pilots", "batch"})
"""Settings that hardly anybody changes: folded away."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the menu of a choice offers.

    Attributes
    ----------
    presets
        Ready values, by name; they come first.
    rare
        Kinds that are offered only once a value is one of them.
    """

    presets: Mapping[str, Settings] = field(default_factory=dict)
    rare: frozenset[str] = frozenset()


class SettingsForm(Editor):
    """A form with a row for each setting; ``value`` is the settings.

    Parameters
    ----------
    cls
        The settings class.
    offers
        For the choice of each name: what its menu offers, if that is not every kind.
    """

    def __init__(self, cls: type[Settings], offers: Mapping[str, Offer] | None = None) -> None:
        self._cls = cls
        offered = offers or {}
        fields = {name: info for name, info in cls.model_fields.items() if name != "kind"}
        self.editors = {name: editor_of(name, info, offered.get(name, Offer())) for name, info in fields.items()}
        for name, info in fields.items():
            if not info.is_required():
                self.editors[name].value = info.get_default(call_default_factory=True)
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
            self._native = self._make_native()
        return self._native

    def _make_native(self) -> QWidget:
        expert = tuple(name for name in self.editors if name in _EXPERT)
        plain = tuple(name for name in self.editors if name not in _EXPERT)
        if not expert:
            return column(self._cls, self.editors, plain)
        widget, more = QWidget(), Section("more", folded=True)
        rows = QVBoxLayout(widget)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        if plain:
            rows.addWidget(column(self._cls, self.editors, plain))
        more.rows.addWidget(column(self._cls, self.editors, expert))
        rows.addWidget(more)
        return widget


class ChoiceForm(Editor):
    """A menu of kinds, and the form of the kind that is chosen; each kind remembers its entries.

    Parameters
    ----------
    classes
        Settings classes, told apart by their ``kind``.
    offer
        What the menu offers of them.
    """

    def __init__(self, classes: Sequence[type[Settings]], offer: Offer) -> None:
        self._classes = {cls.model_fields["kind"].default: cls for cls in classes}
        self._presets = dict(offer.presets)
        self._forms: dict[str, SettingsForm] = {}
        kinds = [kind for kind in self._classes if kind not in offer.rare]
        self._menu = ComboBox(choices=[*((name, name) for name in self._presets), *map(_entry, kinds)])
        leave_wheel_to_scrolling(self._menu.native)
        let_shrink(self._menu.native)
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
    def kind(self) -> str:
        """The kind that is chosen, whether its entries fit or not."""
        chosen = self._menu.value
        return self._presets[chosen].model_dump()["kind"] if chosen in self._presets else chosen

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
            if kind not in self._menu.choices:
                self._menu.set_choice(*_entry(kind))
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
            form.native.setVisible(kind == chosen)
        self._native.setVisible(chosen in self._forms and bool(self._forms[chosen].editors))
        self.tell()


def _entry(kind: str) -> tuple[str, str]:
    """How a menu names a kind, and the kind."""
    return title_of_kind(kind), kind


def editor_of(name: str, field: FieldInfo, offer: Offer) -> Editor:
    """The editor of any field of a settings class."""
    classes = _settings_in(field.annotation)
    if len(classes) == 1:
        return SettingsForm(classes[0])
    if classes:
        return ChoiceForm(classes, offer)
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
    rows.setHorizontalSpacing(SPACING)
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
        rows.addRow(QLabel(title_of_field(name)))
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
