"""What the documentation site makes of pages that are also read in the repository. MkDocs calls these functions.

The README, CONTRIBUTING and the changelog become pages; links to files outside docs/ lead to the repository; formulas
become MathML while the site is built, so that the reader's browser needs no script and no other server.
"""

import html
import re
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that are files of the repository's top level."""

_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\s*\\[(\[](.*?)\\[)\]]\s*</\1>', re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie outside docs/."""
    for page, source in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Turn links between files of the repository into links of the site, or to the repository."""
    name = page.file.src_uri
    folder = PurePosixPath(PAGES.get(name, f"docs/{name}")).parent

    def target(link: re.Match[str]) -> str:
        path = normpath(str(folder / link[2]))
        if not (ROOT / path).exists():
            return link[0]  # MkDocs warns of it
        return f"{link[1]}{_on_site(path, PurePosixPath(name).parent, config.repo_url)}{link[3]}"

    return _LINK.sub(target, markdown)


def _on_site(path: str, folder: PurePosixPath, repository: str) -> str:
    """Where a file of the repository is seen from a page in a folder of the site."""
    up = "../" * len(folder.parts)
    for page, source in PAGES.items():
        if path == source:
            return up + page
    if path.startswith("docs/") and not path.endswith(".py"):
        return up + path.removeprefix("docs/")
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{repository}/{kind}/main/{path}"


def on_page_content(content: str, **_: Any) -> str:
    """Set the formulas, and take out the roles that docstrings give to names."""

    def formula(found: re.Match[str]) -> str:
        return convert(html.unescape(found[2]).strip(), display="block" if found[1] == "div" else "inline")

    return _FORMULA.sub(formula, _ROLE.sub("", content))
