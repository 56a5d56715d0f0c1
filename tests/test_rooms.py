"""The rooms of the package: small, each with a map at its door, and contracts that a wrong import breaks."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "mri_noise"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
LINTER = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_has_at_most_16_modules(room: Path) -> None:
    assert len(list(room.glob("*.py"))) <= 16


@pytest.mark.parametrize("room", [room for room in ROOMS if room != PACKAGE], ids=lambda room: room.name)
def test_the_door_of_a_room_is_a_map_of_its_files(room: Path) -> None:
    door = room / "__init__.py"
    page = ast.get_docstring(ast.parse(door.read_text(encoding="utf-8"))) or ""
    files = {path.stem for path in room.glob("*.py")} | {path.parent.name for path in room.glob("*/__init__.py")}
    assert files - {"__init__"} <= set(re.findall(r"\w+", page))
    assert len(page.splitlines()) <= 5 + 1  # a blank line after the first


def modules_of(contract: dict[str, object], tree: Path) -> list[list[Path]]:
    """The files that each layer of a contract may be named by, from the top down."""
    (container,) = contract["containers"]  # type: ignore[misc]
    folder = tree.joinpath(*container.split("."))
    named = [re.findall(r"[\w]+", layer) for layer in contract["layers"]]  # type: ignore[attr-defined]
    return [
        [path for name in layer for path in (folder / f"{name}.py", folder / name / "__init__.py") if path.is_file()]
        for layer in named
    ]


def dotted(path: Path, tree: Path) -> str:
    return ".".join(path.relative_to(tree).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.skipif(not LINTER.exists(), reason="import-linter needs the extra lint")
def test_an_import_against_the_layers_breaks_each_contract(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "mri_noise", ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for contract in CONTRACTS:
        layers = modules_of(contract, tmp_path)
        top, bottom = layers[0][0], layers[-1][0]
        bottom.write_text(f"{bottom.read_text(encoding='utf-8')}\nimport {dotted(top, tmp_path)}\n", encoding="utf-8")
    run = subprocess.run(
        [LINTER, "--no-logo", "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    broken = set(re.findall(r"^(.+) BROKEN$", run.stdout, re.MULTILINE))
    assert broken == {str(contract["name"]) for contract in CONTRACTS}
