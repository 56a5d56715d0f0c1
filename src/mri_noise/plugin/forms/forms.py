"""A form for any settings class: the one place that turns choices into widgets and back."""

from collections.abc import Mapping, Sequence

from magicgui.widgets import ComboBox
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from mri_noise.choices import Absent, Choosable
from mri_noise.plugin.forms.editors import Editor, leave_wheel_to_scrolling, let_shrink, plain_editor
from mri_noise.plugin.forms.words import title_of_field
from mri_noise.plugin.widgets.sections import Section
from mri_noise.settings import Settings

LABEL_WIDTH = 92  # [pixel]
SPACING = 4  # [pixel]


class SettingsForm(Editor):
    """A form with a row for each setting; ``value`` is the settings.

    Parameters
    ----------
    cls
        The settings class.
    """

    def __init__(self, cls: type[Settings]) -> None:
        self._cls = cls
        self._given: Settings | None = None
        fields = {name: info for name, info in cls.model_fields.items() if name not in {"kind", *cls.hidden}}
        self.editors = {name: editor_of(name, info) for name, info in fields.items()}
        for name, info in fields.items():
            if not info.is_required():
                self.editors[name].value = info.get_default(call_default_factory=True)
            self.editors[name].changed.connect(self.tell)
        self._native: QWidget | None = None

    @property
    def value(self) -> Settings:
        """The entries; what is hidden is as it was given as long as the entries are."""
        value = self._cls.parse({name: editor.value for name, editor in self.editors.items()})
        hidden = set(self._cls.hidden)
        if self._given is not None and value.model_dump(exclude=hidden) == self._given.model_dump(exclude=hidden):
            return self._given
        return value

    @value.setter
    def value(self, value: Settings) -> None:
        self._given = value if self._cls.hidden else None
        for name, editor in self.editors.items():
            editor.value = getattr(value, name)

    @property
    def native(self) -> QWidget:
        if self._native is None:
            self._native = self._make_native()
        return self._native

    def _make_native(self) -> QWidget:
        expert = tuple(name for name in self.editors if name in self._cls.expert)
        plain = tuple(name for name in self.editors if name not in self._cls.expert)
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
        Classes of one choice, told apart by their ``kind``. Their presets come first in the menu; those that are not
        offered are in it once a value is one of them.
    """

    def __init__(self, classes: Sequence[type[Choosable]]) -> None:
        self._classes = {cls.kind_of_class(): cls for cls in classes}
        self._presets = {title: preset for cls in classes for title, preset in cls.presets().items()}
        self._forms: dict[str, SettingsForm] = {}
        self._absent: Absent | None = None
        entries = [_entry(cls) for cls in classes if cls.offered]
        self._menu = ComboBox(choices=[*((name, name) for name in self._presets), *entries])
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
        return self._presets[chosen].kind_of_class() if chosen in self._presets else chosen

    @property
    def cls(self) -> type[Choosable]:
        """The class of that kind."""
        return self._classes.get(self.kind, Absent)

    @property
    def chosen(self) -> type[Settings]:
        """The settings class of that kind."""
        return self._classes[self.kind]

    @property
    def menu(self) -> QWidget:
        """The menu of kinds, to be placed in a row of its own."""
        return self._menu.native

    @property
    def value(self) -> Settings:
        chosen = self._menu.value
        if self._absent is not None and chosen == self._absent.label:
            return self._absent
        return self._presets[chosen] if chosen in self._presets else self._form(chosen).value

    @value.setter
    def value(self, value: Choosable) -> None:
        names = [name for name, preset in self._presets.items() if preset == value]
        if isinstance(value, Absent):
            self._absent = value
            entry = (value.label, value.label)
        else:
            entry = _entry(type(value))
            self._classes.setdefault(entry[1], type(value))
            if not names:
                self._form(entry[1]).value = value
        chosen = names[0] if names else entry[1]
        if chosen not in self._menu.choices:
            self._menu.set_choice(*entry)
        self._menu.value = chosen

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


def _entry(cls: type[Choosable]) -> tuple[str, str]:
    """How a menu names a kind, and the kind."""
    return cls.title_of_class(), cls.kind_of_class()


def editor_of(name: str, field: FieldInfo) -> Editor:
    """The editor of any field of a settings class."""
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, Choosable):
        return ChoiceForm([cls for cls in annotation.alternatives() if issubclass(cls, Choosable)])
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return SettingsForm(annotation)
    return plain_editor(name, field)


def column(cls: type[Settings], editors: Mapping[str, Editor], names: Sequence[str]) -> QWidget:
    """Some editors of a settings class below each other, with titles and tooltips."""
    widget = QWidget()
    rows = QFormLayout(widget)
    rows.setHorizontalSpacing(SPACING)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setVerticalSpacing(4)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name in names:
        _add_row(rows, name, editors[name], cls.model_fields[name])
    return widget


def _add_row(rows: QFormLayout, name: str, editor: Editor, field: FieldInfo) -> None:
    native, description, title = editor.native, field.description or "", title_of_field(name, field)
    native.setToolTip(description)
    if isinstance(editor, ChoiceForm):
        editor.menu.setToolTip(description)
        rows.addRow(_label(title, description), editor.menu)
        rows.addRow(native)
    elif isinstance(editor, SettingsForm):
        rows.addRow(QLabel(title))
        rows.addRow(native)
    elif getattr(native, "isCheckable", lambda: False)():
        rows.addRow(_label("", ""), native)
    else:
        rows.addRow(_label(title, description), native)


def _label(title: str, description: str) -> QLabel:
    label = QLabel(title)
    label.setFixedWidth(LABEL_WIDTH)
    label.setWordWrap(True)
    label.setToolTip(description)
    return label
