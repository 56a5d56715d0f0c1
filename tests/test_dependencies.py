"""What the package imports is declared: in the base, or in the extra of the part that imports it."""

import ast
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOMES = packages_distributions()
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "mri_noise"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    "plugin": "napari",
    "training": "train",
    "evaluation": "train",
}
"""Parts of the package that need an extra; the others do with the base alone."""


def test_imports_of_each_part_are_declared() -> None:
    undeclared = {
        f"{distribution}, of {part or 'the top level'}"
        for part, names in imports().items()
        for distribution in distributions(names)
        if distribution not in declared(part)
    }
    assert not undeclared, "declare them in pyproject.toml, in the base or in the extra of that part"


def test_every_dependency_of_the_base_is_imported() -> None:
    imported = set[str]().union(*(distributions(names) for names in imports().values()))
    assert requirements(PROJECT["dependencies"]) <= imported


def imports() -> dict[str, set[str]]:
    """Top-level packages of others, by the part of ours that imports them while it runs."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found[part] |= imported_by(ast.parse(path.read_text(encoding="utf-8")))
    return found


def imported_by(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"mri_noise", "_typeshed"}


def distributions(names: set[str]) -> set[str]:
    """The names under which packages are installed; their own where they are not installed here."""
    return {canonicalize_name(HOMES.get(name, [name])[0]) for name in names}


def declared(part: str) -> set[str]:
    extras = PROJECT["optional-dependencies"]
    return requirements([*PROJECT["dependencies"], *extras.get(EXTRAS.get(part, ""), [])])


def requirements(listed: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in listed}
