"""A toy distribution that brings a network, a mask, a noise source, a method and a format: the pages of the docs."""

import re
import subprocess
import sys
import sysconfig
import venv
from functools import cache
from pathlib import Path

import numpy as np

import mri_noise
from mri_noise.acquisition.scan import Scan

PAGES = sorted((Path(__file__).parents[1] / "docs" / "extending").glob("*.md"))
_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "toy-mri"
version = "1.2"

[tool.hatch.build.targets.wheel]
packages = ["toy_mri"]

"""


def write_project(folder: Path) -> None:
    """Write what the pages say: every block of Python to its file, every block of TOML to ``pyproject.toml``."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"^```python file=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for name, code in [("toy_mri/__init__.py", ""), *blocks]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(code, encoding="utf-8")
    entries = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(entries) == 5
    (folder / "pyproject.toml").write_text(_PROJECT + "\n".join(entries), encoding="utf-8")


def installed(folder: Path) -> Path:
    """Install the distribution in an environment of its own that also sees this one's packages; its interpreter."""
    source, environment = folder / "source", folder / "environment"
    write_project(source)
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    found = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})["purelib"]
    packages = Path(mri_noise.__file__).parents[1], sysconfig.get_path("purelib")
    (Path(found) / "above.pth").write_text("".join(f"{each}\n" for each in packages), encoding="utf-8")
    install = ("install", "-qq", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install, str(source)], check=True)
    return python


@cache
def header(*shape: int) -> bytes:
    """The start of a toy file."""
    return b"TOY1" + np.array(shape, np.int32).tobytes()


def write_toy_scan(path: Path, scan: Scan) -> None:
    """Write the k-space of a scan in the toy format."""
    slices = [scan[i].kspace.numpy().astype(np.complex64) for i in range(len(scan))]
    path.write_bytes(header(len(scan), scan.n_coils, *scan.matrix) + np.stack(slices).tobytes())
