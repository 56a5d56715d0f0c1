"""The glossary, the gallery and the site know the names and pages that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def entries() -> list[list[str]]:
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return rows[2:]


def test_glossary_has_three_words_for_each_thing() -> None:
    assert len(entries()) >= 30
    for row in entries():
        assert len(row) == 3, row
        assert all(row), row


@pytest.fixture(scope="module")
def defined() -> set[str]:
    """Names of classes, functions, fields and parameters: followed by a parenthesis or a colon where they are made."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    return set(re.findall(r"(?:class|def) (\w+)", text)) | set(re.findall(r"\b(\w+)\s*: [A-Za-z\"]", text))


@pytest.mark.parametrize("row", entries(), ids=lambda row: row[2].strip("`"))
def test_glossary_names_what_the_code_defines(row: list[str], defined: set[str]) -> None:
    name = row[2].strip("`")
    assert set(name.split(".")) <= defined


def test_every_name_of_the_glossary_is_one_thing() -> None:
    names = [row[2] for row in entries()]
    assert len(names) == len(set(names))


def test_gallery_shows_every_picture_that_is_not_a_variant() -> None:
    shown = set(re.findall(r"\(images/(\w+\.png)\)", (DOCS / "gallery.md").read_text(encoding="utf-8")))
    drawn = {path.name for path in (DOCS / "images").glob("*.png")}
    variants = {name for name in drawn if re.search(r"_(light|narrow)\.png$", name)} - {"plugin_narrow.png"}
    assert shown >= drawn - variants
    assert shown <= drawn


def test_site_leads_to_every_page() -> None:
    listed = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert listed == written | {"index.md", "contributing.md", "changelog.md"}


@pytest.mark.parametrize("page", sorted((DOCS / "api").glob("*.md")), ids=lambda page: page.stem)
def test_reference_names_modules_that_exist(page: Path) -> None:
    named = re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    for name in named:
        path = ROOT / "src" / Path(*name.split("."))
        home = path if path.with_suffix(".py").is_file() or path.is_dir() else path.parent
        text = home.with_suffix(".py").read_text(encoding="utf-8")
        assert home == path or re.search(rf"^(?:class|def) {path.name}\b", text, re.MULTILINE)
