"""Nothing that is read may be overwritten: what is written is compared with what is read, before anything is done."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

Inputs = Mapping[str, Collection[Path]]
"""The files that something reads, by what they are to it, such as ``the scan itself``."""


def refuse_overwriting(outputs: Iterable[Path], inputs: Inputs, advice: str = "give another --output") -> None:
    """Make sure that no file to be written is one of those that are read, under whatever name or link.

    Raises
    ------
    ValueError
        One sentence: what would be overwritten, and the advice.
    """
    read = {_identity(path): what for what, paths in inputs.items() for path in paths}
    for output in outputs:
        identity = _identity(output)
        if identity is not None and identity in read:
            raise ValueError(f"'{output}' is {read[identity]} and would be overwritten; {advice}")


def _identity(path: Path) -> tuple[int, int] | None:
    """What all names of a file, links included, have in common; None if there is no such file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
