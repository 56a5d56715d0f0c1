"""The base of every choice a user makes, and its way in from YAML and from the command line.

A choice is a frozen pydantic model. The form, the command-line option, the file and the provenance derive from it.
"""

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails


class SettingsError(ValueError):
    """A setting that does not exist or does not fit; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where plain values of settings come from.

    Attributes
    ----------
    is_file
        A file: what it says runs no code of the user's before somebody agrees.
    keeps_absent
        Whether values of a kind that is not installed are kept, as those of a saved result are.
    """

    is_file: bool = False
    keeps_absent: bool = False


class Settings(BaseModel):
    """One choice: immutable, comparable, and refusing names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    expert: ClassVar[frozenset[str]] = frozenset()
    """Fields that hardly anybody changes: a form folds them away."""
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that a form does not show."""

    @classmethod
    def alternatives(cls: type["S"]) -> list[type["S"]]:
        """The classes that a value of this type may be of."""
        return [cls]

    def parts(self) -> "Iterator[Settings]":
        """The settings that are part of this one."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            inner = value if isinstance(value, tuple) else (value,)
            yield from (each for each in inner if isinstance(each, Settings))

    def to_yaml(self) -> str:
        """Return the complete settings, defaults included, as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    def files(self) -> Iterator[Path]:
        """Every file that this choice names, itself or in a choice that is part of it."""
        for name in type(self).model_fields:
            yield from _files_in(getattr(self, name))

    @classmethod
    def parse(cls: type["S"], values: dict[str, Any], origin: Origin | None = None) -> "S":
        """Validate plain values, which are the caller's own unless their origin is said.

        Raises
        ------
        SettingsError
            One sentence: which setting, what was expected, what was given, the nearest name for a misspelt one.
        """
        try:
            return cls.model_validate(values, context=origin or Origin())
        except ValidationError as error:
            raise SettingsError(_sentence(cls, error.errors()[0])) from None


S = TypeVar("S", bound=Settings)


def _files_in(value: object) -> Iterator[Path]:
    if isinstance(value, Settings):
        yield from value.files()
    elif isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        yield from _files_in(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _files_in(each)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file (JSON is YAML).

    Raises
    ------
    SettingsError
        If the file cannot be read or is not a mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings from '{path}': {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"'{path}' is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise SettingsError(
            f"'{path}' should hold a mapping of settings, but holds {type(values).__name__}; "
            "'mri-noise run --print-experiment' writes a complete example"
        )
    return values


def override(settings: S, assignments: Sequence[str]) -> S:
    """Apply dotted assignments such as ``variance.n_probes=200`` to settings.

    Values are read as YAML. Assigning ``kind`` changes the kind of a choice: the former kind's other values are
    dropped, since they mean nothing to the new one.

    Raises
    ------
    SettingsError
        If an assignment has no ``=``, or names a setting that does not exist, or its value does not fit.
    """
    values = settings.model_dump(mode="json")
    by_depth = sorted((_split(a) for a in assignments), key=lambda pair: pair[0][-1] != "kind")
    for path, value in by_depth:
        _assign(values, path, value)
    return type(settings).parse(values)


def _split(assignment: str) -> tuple[list[str], Any]:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"'{assignment}' is not an assignment; write it as 'variance.n_probes=200'")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    return name.strip().split("."), value


def _assign(values: dict[str, Any], path: list[str], value: Any) -> None:
    for depth, key in enumerate(path[:-1]):
        if key in values and values[key] is None:  # a section that is left out
            values[key] = {}
        inner = values.get(key)
        if not isinstance(inner, dict):
            known = [name for name, member in values.items() if isinstance(member, dict)]
            raise SettingsError(_unknown(".".join(path[: depth + 1]), key, known))
        values = inner
    if path[-1] == "kind" and values.get("kind") != value:
        values.clear()
    values[path[-1]] = value


def _unknown(where: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"expected one of: {', '.join(known)}"
    return f"unknown setting '{where}'; {hint}"


def _sentence(model: type[Settings], error: ErrorDetails) -> str:
    """Turn pydantic's first complaint into one sentence."""
    location = [str(part) for part in error["loc"]]
    names, members = _walk(model, location)
    where = ".".join(names)
    if error["type"] == "extra_forbidden":
        _, parents = _walk(model, location[:-1])
        kinds = _kinds_with(names[-1], _walk(model, location[:-2])[1])
        if kinds:
            choice = ".".join([*names[:-1], "kind"])
            return f"setting '{where}' needs {choice}={' or '.join(kinds)}, got {choice}={location[-2]}; set both"
        return _unknown(where, names[-1], sorted(parents[0].model_fields))
    if error["type"] == "union_tag_invalid":
        kinds = sorted(kind for member in members for kind in _kinds(member))
        near = difflib.get_close_matches(str(error["ctx"]["tag"]), kinds, n=1, cutoff=0.4)
        hint = f"did you mean '{near[0]}'? " if near else ""
        return f"setting '{where}.kind': got '{error['ctx']['tag']}'; {hint}expected one of: {', '.join(kinds)}"
    if error["type"] == "union_tag_not_found":
        return f"setting '{where}': expected a mapping with a 'kind', got {error['input']!r}"
    message = error["msg"].removeprefix("Value error, ")
    if not where or error["type"] == "value_error":
        return message
    return f"setting '{where}': {message[0].lower()}{message[1:]}, got {error['input']!r}"


def _walk(model: type[Settings], location: list[str]) -> tuple[list[str], list[type[Settings]]]:
    """Follow a location of pydantic, which names the kind after each choice; return the names and the models there."""
    names: list[str] = []
    members = [model]
    for part in location:
        of_kind = [member for member in members if part in _kinds(member)]
        if len(members) > 1 and of_kind:
            members = of_kind
            continue
        names.append(part)
        if part.isdigit():
            continue
        members = [
            inner
            for member in members
            if part in member.model_fields
            for inner in _models(member.model_fields[part].annotation)
        ]
    return names, members


def _kinds_with(name: str, members: list[type[Settings]]) -> list[str]:
    """The kinds that have a setting of that name, where there is a choice of them."""
    if len(members) < 2:
        return []
    return sorted(kind for member in members if name in member.model_fields for kind in _kinds(member))


def _kinds(model: type[Settings]) -> tuple[str, ...]:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None else ()


def _models(annotation: Any) -> list[type[Settings]]:
    """All settings models inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation.alternatives()
    if get_origin(annotation) in (Union, types.UnionType, Annotated, tuple):
        return [model for argument in get_args(annotation) for model in _models(argument)]
    return []
