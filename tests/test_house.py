"""What holds for the project as a whole, whatever its modules do."""

import ast
import os
import pkgutil
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from inspect import isabstract
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import yaml
from packaging.version import Version
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import mri_noise
from mri_noise.choices import Absent
from mri_noise.phantom.simulation import Phantom
from mri_noise.settings import Settings, SettingsError
from tests.scan_files import write

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
HEAVY = {"torch", "napari", "magicgui", "superqt", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
TARGETS = {"setup", "demo", "test", "lint", "types", "core", "docs", "bench"}


@pytest.mark.parametrize(
    "script",
    [
        "import mri_noise",
        "from importlib.metadata import entry_points as e; import sys; sys.argv = ['mri-noise', '--help']\n"
        "try: next(iter(e(group='console_scripts', name='mri-noise'))).load()()\n"
        "except SystemExit as end: assert not end.code, end.code",
    ],
    ids=["import mri_noise", "mri-noise --help"],
)
def test_imports_neither_torch_nor_a_gui(script: str) -> None:
    report = "import sys; print('\\n', *sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", f"{script}\n{report}"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    imported = set(run.stdout.splitlines()[-1].split())
    assert "mri_noise" in imported
    assert not imported & HEAVY


def test_top_level_manifest_is_a_link_to_the_one_in_the_package() -> None:
    link = ROOT / "napari.yaml"
    assert link.is_symlink()
    assert link.readlink() == Path("src/mri_noise/napari.yaml")
    assert link.read_bytes() == (files("mri_noise") / "napari.yaml").read_bytes()


def test_manifest_entry_point_leads_to_the_manifest() -> None:
    (entry,) = entry_points(group="napari.manifest", name="napari-mri-noise")
    package, name = entry.value.split(":")
    manifest = yaml.safe_load((files(package) / name).read_text())
    assert manifest["name"] == "napari-mri-noise"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_file_names_a_folder_of_one_machine() -> None:
    folder = re.compile(r"(?<![\w.~])/(?:work|root|home|Users)\b")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in tracked_files()
        for line in text_of(path).splitlines()
        if folder.search(line)
    ]
    assert not found


def test_links_stay_inside_the_project() -> None:
    links = [path for path in tracked_files() if path.is_symlink()]
    assert links
    for link in links:
        assert not link.readlink().is_absolute()
        assert link.resolve().is_relative_to(ROOT.resolve())


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this is no git checkout, so no file is tracked")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """Return a file's text, nothing for a binary file."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="replace")


def test_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == Version(mri_noise.__version__).base_version


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lists_every_target() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    listing = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^\s*make (\w+) +\S", listing.stdout, re.MULTILINE))
    assert listed >= TARGETS
    for target in sorted(listed):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, check=True)


def test_theory_uses_the_names_of_the_code() -> None:
    page = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    named = {name.rpartition(".")[2] for name in re.findall(r"`([A-Za-z_][\w.]*)(?:\(\w*\))?`", page)}
    assert len(named) > 20
    assert named <= set(re.findall(r"\w+", "".join(path.read_text(encoding="utf-8") for path in SOURCES)))


def test_worked_example_of_the_documentation_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 1
    script = tmp_path / "extending.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    runpy.run_path(str(script))


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    phantom, name = Phantom(matrix=(48, 40), n_slices=2, n_coils=4), "sample_data/brain_phantom.h5"
    assert (ROOT / name).is_file()
    (tmp_path / name).parent.mkdir()
    samples = np.stack([phantom()[index].kspace.numpy() for index in range(2)])
    write(tmp_path / name, samples, noise=phantom.prescan().numpy())
    (tmp_path / "readme.py").write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    said = runpy.run_path("readme.py")
    assert len(said["finished"]) == 2
    assert (tmp_path / "out.h5").is_file()


def settings_classes() -> list[type[Settings]]:
    """Every concrete settings class of the package, except those of parts whose extras are not installed."""
    extras = {
        "mri_noise.plugin": "napari",
        "mri_noise.training": "lightning",
        "mri_noise.evaluation": "torchmetrics",
        "mri_noise.cli.evaluation": "torchmetrics",
    }
    absent = tuple(part for part, needed in extras.items() if find_spec(needed) is None)
    for module in pkgutil.walk_packages(mri_noise.__path__, "mri_noise."):
        if not module.name.startswith(absent):
            import_module(module.name)
    return [
        cls
        for cls in subclasses(Settings)
        if cls.__module__.startswith("mri_noise.") and not isabstract(cls) and not issubclass(cls, Absent)
    ]


def subclasses(cls: type[Settings]) -> Iterator[type[Settings]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def example(cls: type[BaseModel]) -> BaseModel:
    """Build an instance, with the first simple value that fits each field that has no default."""
    return cls(**{name: fitting(field) for name, field in cls.model_fields.items() if field.is_required()})


def fitting(field: FieldInfo) -> Any:
    numbers = (1, 0.5, 8)
    points = (*product(numbers, repeat=2), ((1, 2), (3, 4)), ((1, 2), (3, 4), (5, 0)))
    choices = ({"kind": cls.model_fields["kind"].default} for cls in subclasses(Settings) if "kind" in cls.model_fields)
    adapter = TypeAdapter(Annotated[field.annotation, field])
    for candidate in ("text", "module:make", *numbers, *points, *choices):
        try:
            return adapter.validate_python(candidate)
        except ValidationError:
            continue
    raise AssertionError(f"no candidate fits {field!r}; add one")


def test_every_settings_class_is_frozen_strict_and_survives_yaml() -> None:
    classes = settings_classes()
    assert len(classes) > 5
    for cls in classes:
        settings = example(cls)
        assert isinstance(settings, Settings)
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, next(iter(cls.model_fields)), None)
        with pytest.raises(SettingsError, match="no_such_setting"):
            cls.parse({**settings.model_dump(), "no_such_setting": 1})
        assert cls.parse(yaml.safe_load(settings.to_yaml())) == settings
