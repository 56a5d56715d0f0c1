"""Which scans are the same, and what those of one name are called on screen."""

from collections.abc import Sequence
from pathlib import Path

from mri_noise.session.jobs import OpenedScan

Identity = tuple[Path, ...]


def identity(opened: OpenedScan) -> Identity:
    """What tells a scan from every other one, whatever both are called."""
    return (opened.path.resolve(),)


def distinct_names(scans: Sequence[OpenedScan]) -> dict[Identity, str]:
    """The name of each file, with as many of its folders as tell it from the others: ``s1/scan.h5``."""
    paths = {identity(each): each.path.absolute() for each in scans}
    return {key: _distinct(path, [other for other in paths.values() if other != path]) for key, path in paths.items()}


def distinct_titles(scans: Sequence[OpenedScan]) -> dict[Identity, str]:
    """The title of each scan, behind the folders that tell its file from the others: ``s1/scan``."""
    folders = {key: name.rpartition("/")[:2] for key, name in distinct_names(scans).items()}
    return {identity(each): "".join((*folders[identity(each)], each.scan.name)) for each in scans}


def _distinct(path: Path, others: Sequence[Path]) -> str:
    endings = (path.parts[-n:] for n in range(1, len(path.parts)))
    told = (ending for ending in endings if not any(other.parts[-len(ending) :] == ending for other in others))
    return "/".join(next(told, path.parts[-1:]))
