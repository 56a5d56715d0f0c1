"""Which settings of two experiments differ."""

from collections.abc import Iterator
from typing import Any

from mri_noise.experiment import Experiment

Values = dict[str, Any]


def differences(first: Experiment, second: Experiment) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by their dotted names, with both values; a kind stands for all settings of its choice."""
    return dict(_compare(first.model_dump(mode="json"), second.model_dump(mode="json"), ""))


def _compare(first: Values, second: Values, prefix: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if first.get("kind") != second.get("kind"):
        yield f"{prefix}kind", (first.get("kind"), second.get("kind"))
        return
    for name, value in first.items():
        other = second[name]
        if isinstance(value, dict) and isinstance(other, dict):
            yield from _compare(value, other, f"{prefix}{name}.")
        elif value != other:
            yield prefix + name, (value, other)


def overrides(experiment: Experiment) -> dict[str, Any]:
    """Plain values, by dotted names, that turn the default experiment into this one.

    A choice of another kind is given whole, since its kind drops what the default said.
    """
    return dict(_overrides(Experiment().model_dump(mode="json"), experiment.model_dump(mode="json"), ""))


def _overrides(default: Values, wanted: Values, prefix: str) -> Iterator[tuple[str, Any]]:
    if default.get("kind") != wanted.get("kind"):
        yield from ((prefix + name, value) for name, value in wanted.items())
        return
    for name, value in wanted.items():
        if isinstance(value, dict) and isinstance(default[name], dict):
            yield from _overrides(default[name], value, f"{prefix}{name}.")
        elif value != default[name]:
            yield prefix + name, value


def described(changes: dict[str, tuple[Any, Any]]) -> str:
    """The second values of differences, in words: ``reconstruction cg-sense, acceleration 4``."""
    return ", ".join(f"{_last_word(name)} {_written(value)}" for name, (_, value) in changes.items())


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _last_word(name: str) -> str:
    """What a dotted name ends with, in words: ``probes`` of ``variance.n_probes``."""
    return name.removesuffix(".kind").rpartition(".")[2].removeprefix("n_").replace("_", " ")
