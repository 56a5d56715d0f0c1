from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import Field, ValidationError

from mri_noise.settings import Settings, SettingsError, override, read_yaml


class Line(Settings):
    kind: Literal["line"] = "line"
    slope: float = Field(1.0, gt=0)


class Step(Settings):
    kind: Literal["step"] = "step"
    height: int = Field(2, ge=1)


class Inner(Settings):
    n_things: int = 3


class Outer(Settings):
    curve: Annotated[Line | Step, Field(discriminator="kind")] = Line()
    inner: Inner = Inner()
    optional: Inner | None = None
    shapes: tuple[Annotated[Line | Step, Field(discriminator="kind")], ...] = ()
    name: str = "x"


def test_yaml_round_trip() -> None:
    settings = Outer(curve=Step(height=5), shapes=(Line(), Step()))
    assert Outer.parse(yaml.safe_load(settings.to_yaml())) == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Outer().inner.n_things = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["inner.n_things=7"], Outer(inner=Inner(n_things=7))),
        (["optional.n_things=7"], Outer(optional=Inner(n_things=7))),
        (["curve.slope=1e-3"], Outer(curve=Line(slope=1e-3))),
        (["curve.kind=step"], Outer(curve=Step())),
        (["curve.height=9", "curve.kind=step"], Outer(curve=Step(height=9))),
        (["name=a=b"], Outer(name="a=b")),
        (["shapes=[{kind: step, height: 4}]"], Outer(shapes=(Step(height=4),))),
        ([], Outer()),
    ],
)
def test_override(assignments: list[str], expected: Outer) -> None:
    assert override(Outer(), assignments) == expected


def test_the_same_kind_keeps_its_values() -> None:
    assert override(Outer(curve=Line(slope=3)), ["curve.kind=line"]).curve == Line(slope=3)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("inner.n_thing=7", "unknown setting 'inner.n_thing'; did you mean 'n_things'?"),
        ("iner.n_things=7", "unknown setting 'iner'; did you mean 'inner'?"),
        ("inner.zzz=7", "unknown setting 'inner.zzz'; expected one of: n_things"),
        ("curve.hight=7", "unknown setting 'curve.hight'; expected one of: kind, slope"),
        ("curve.height=7", "setting 'curve.height' needs curve.kind=step, got curve.kind=line; set both"),
        ("curve.kind=stp", "setting 'curve.kind': got 'stp'; did you mean 'step'? expected one of: line, step"),
        ("curve.slope=-1", "setting 'curve.slope': input should be greater than 0, got -1"),
        ("inner.n_things=many", "setting 'inner.n_things': input should be a valid integer"),
        ("inner", "'inner' is not an assignment; write it as 'variance.n_probes=200'"),
        ("shapes=[{kind: step, height: 0}]", "setting 'shapes.0.height': input should be greater than or equal to 1"),
        ("shapes=[{height: 3}]", "setting 'shapes.0': expected a mapping with a 'kind', got {'height': 3}"),
        ("shapes=[{kind: step, hight: 3}]", "unknown setting 'shapes.0.hight'; did you mean 'height'?"),
    ],
)
def test_a_wrong_assignment_is_one_sentence(assignment: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        override(Outer(), [assignment])
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_read_yaml(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("inner: {n_things: 4}\n")
    assert read_yaml(path) == {"inner": {"n_things": 4}}


@pytest.mark.parametrize(
    ("text", "complaint"), [("- 1\n- 2", "should hold a mapping"), ("a: [", "is not valid YAML"), ("", "a mapping")]
)
def test_a_file_without_a_mapping_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        read_yaml(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read settings from .*absent\.yaml"):
        read_yaml(tmp_path / "absent.yaml")
