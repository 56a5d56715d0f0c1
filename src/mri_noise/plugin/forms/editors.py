"""Widgets that edit one plain setting: a number, a choice of words, a text, a path."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, LineEdit, SpinBox
from magicgui.widgets.bases import BaseValueWidget
from psygnal import Signal
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QWidget

from mri_noise.plugin.forms.words import title_of_field
from mri_noise.settings import SettingsError

_LARGEST = 2**62


class Editor(ABC):
    """Something that shows a value and lets it be changed; ``changed`` tells that it was."""

    changed = Signal()

    @property
    @abstractmethod
    def value(self) -> Any:
        """What is shown; SettingsError, in one sentence, where what was entered does not fit."""

    @value.setter
    @abstractmethod
    def value(self, value: Any) -> None: ...

    @property
    @abstractmethod
    def native(self) -> QWidget:
        """The Qt widget."""

    def tell(self) -> None:
        """Tell that the value changed."""
        self.changed.emit()


class PlainEditor(Editor):
    """An editor whose widget holds the value as it is."""

    def __init__(self, widget: BaseValueWidget[Any]) -> None:
        self._widget = widget
        widget.changed.connect(self.tell)
        leave_wheel_to_scrolling(widget.native)

    @property
    def value(self) -> Any:
        return self._widget.value

    @value.setter
    def value(self, value: Any) -> None:
        self._widget.value = value

    @property
    def native(self) -> QWidget:
        return self._widget.native


class TextEditor(Editor):
    """An editor of anything that can be written: numbers as they are, an empty text for none, the rest as JSON."""

    def __init__(self, name: str, field: FieldInfo) -> None:
        self._name, self._field = name, field
        self._optional = NoneType in get_args(field.annotation)
        self._adapter: TypeAdapter[Any] = TypeAdapter(_annotated(field))
        self._plain = _is_scalar(field.annotation)
        self._widget = LineEdit()
        self._widget.native.setPlaceholderText("automatic" if self._optional else "")
        self._widget.changed.connect(self.tell)

    @property
    def value(self) -> Any:
        text = self._widget.value.strip()
        if self._optional and not text:
            return None
        try:
            return self._adapter.validate_python(text if self._plain else yaml.safe_load(text))
        except (ValidationError, yaml.YAMLError) as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "this is not YAML"
            given = f", got '{text}'" if text else ", and nothing is given"
            message = f"{title_of_field(self._name, self._field)}: {said[0].lower()}{said[1:]}{given}"
            raise SettingsError(message) from None

    @value.setter
    def value(self, value: Any) -> None:
        if value is None:
            self._widget.value = ""
        elif self._plain:
            self._widget.value = f"{value:.15g}" if value == float(f"{value:.15g}") else repr(value)
        else:
            self._widget.value = json.dumps(self._adapter.dump_python(value, mode="json"))

    @property
    def native(self) -> QWidget:
        return self._widget.native


class PathEditor(Editor):
    """An editor of one file, whose path stays as it was written."""

    def __init__(self, name: str, field: FieldInfo) -> None:
        self._name, self._field = name, field
        self._optional = not field.is_required()
        self._widget = FileEdit(mode=FileDialogMode.EXISTING_FILE, nullable=True)
        self._widget.choose_btn.text = "…"
        self._widget.choose_btn.native.setFixedWidth(32)
        self._widget.changed.connect(self.tell)

    @property
    def value(self) -> Path | None:
        text = self._widget.line_edit.value.strip()
        if not text and not self._optional:
            raise SettingsError(f"{title_of_field(self._name, self._field)}: no file is chosen; choose one")
        return Path(text) if text else None

    @value.setter
    def value(self, value: Path | None) -> None:
        self._widget.line_edit.value = "" if value is None else str(value)

    @property
    def native(self) -> QWidget:
        return self._widget.native


def plain_editor(name: str, field: FieldInfo) -> Editor:
    """The editor of a setting that is not a choice of settings itself."""
    kind = field.annotation
    if kind is bool:
        return PlainEditor(CheckBox(text=title_of_field(name, field)))
    if get_origin(kind) is Literal:
        return PlainEditor(ComboBox(choices=[(str(word), word) for word in get_args(kind)]))
    if kind is int:
        return PlainEditor(SpinBox(min=_bound(field, "ge", "gt", 1, 0), max=_bound(field, "le", "lt", -1, _LARGEST)))
    if kind is str:
        return PlainEditor(LineEdit())
    if kind in (Path, Path | None):
        return PathEditor(name, field)
    return TextEditor(name, field)


def _bound(field: FieldInfo, inclusive: str, exclusive: str, step: int, default: int) -> int:
    """Smallest or largest whole number that a field allows."""
    for constraint in field.metadata:
        for attribute, beyond in ((inclusive, 0), (exclusive, step)):
            if (value := getattr(constraint, attribute, None)) is not None:
                return int(value) + beyond
    return default


def _annotated(field: FieldInfo) -> Any:
    return Annotated[field.annotation, field]


def _is_scalar(annotation: Any) -> bool:
    """Whether a type is a number, or a number or none."""
    is_union = get_origin(annotation) in (Union, UnionType)
    kinds = {kind for kind in (get_args(annotation) if is_union else (annotation,)) if kind is not NoneType}
    return kinds <= {int, float}


class _WheelPasser(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the form scroll, instead of changing a value that the pointer happens to be on."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


def let_shrink(menu: QComboBox) -> None:
    """Make a menu no wider than its column, however long its entries are."""
    menu.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    menu.setMinimumContentsLength(8)


def leave_wheel_to_scrolling(widget: QWidget) -> None:
    """Make the mouse wheel scroll the form over a box that has not the focus."""
    if isinstance(widget, QComboBox | QAbstractSpinBox):
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(_WheelPasser(widget))
