"""Results of a benchmark as JSON, with the commit, the machine and the versions that they were measured with."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results"
"""Where results lie if no other file is asked for; git ignores it."""

_PACKAGES = ("napari-mri-noise", "torch", "numpy", "scipy")

Rows = list[dict[str, Any]]


def parser_of(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser with the option ``--json``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--json",
        type=Path,
        default=RESULTS / f"{name}.json",
        metavar="FILE",
        help="where results go (default: %(default)s)",
    )
    return parser


def record(path: Path, results: Mapping[str, pd.DataFrame], root: Path | None = None) -> None:
    """Write tables, each under its name, with what is needed to compare them."""
    here = Path(__file__).parents[1] if root is None else root
    written = {
        "commit": _git(here, "rev-parse", "HEAD"),
        "dirty": bool(_git(here, "status", "--porcelain", "--untracked-files=no")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "results": {name: json.loads(table.to_json(orient="records")) for name, table in results.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, str | int]:
    """Describe the processor, not whose it is."""
    return {"processor": _processor(), "cores": os.cpu_count() or 0, "threads": _threads(), "system": platform.system()}


def versions() -> dict[str, str]:
    """Of Python and of what computes, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit_of(folder: Path) -> str:
    """Name the commit of a source tree, with a plus if it was changed; empty where there is none."""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ".")
    return _git(folder, "rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    """What git says, nothing outside a clone."""
    command: Sequence[str] = ("git", "-C", str(folder), *arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _threads() -> int:
    """Of torch where it is loaded; what measures in processes of its own leaves them this choice too."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 0)
