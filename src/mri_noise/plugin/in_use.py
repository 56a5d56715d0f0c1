"""What a window reads, which nothing that it saves may overwrite."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from napari.components import ViewerModel

from mri_noise.experiment import Experiment
from mri_noise.io.inputs import refuse_overwriting
from mri_noise.plugin.canvas.layers import Source, source_of
from mri_noise.result import Result
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.state import Session


def require_unread(
    paths: Iterable[Path],
    viewer: ViewerModel | None,
    session: Session,
    *,
    sources: Sequence[Source | None] = (),
    experiments: Sequence[Experiment] = (),
) -> None:
    """Make sure that files can be written without harm to the window's scans, and to what its experiments name.

    Parameters
    ----------
    sources, experiments
        What else is used: sources of layers, and what a form says that the session does not know yet.

    Raises
    ------
    ValueError
        One sentence: what would be overwritten.
    """
    layers = () if viewer is None else viewer.layers
    origins = [source.origin for source in (*map(source_of, layers), *sources) if source is not None]
    scans = [*_opened(session), *(origin for origin in origins if isinstance(origin, OpenedScan))]
    used = [
        *experiments,
        *_experiments(session),
        *(origin.experiment for origin in origins if isinstance(origin, Result)),
    ]
    inputs = {
        "a file that a setting names": [path for experiment in used for path in experiment.files()],
        "a scan that is open": [path for opened in scans for path in (opened.path, *opened.scan.files)],
    }
    refuse_overwriting(paths, inputs, "give another name")


def _opened(session: Session) -> Iterator[OpenedScan]:
    jobs = [session.job, *(run.job for run in session.runs)]
    found = [session.opened, *(job.opened for job in jobs if job is not None)]
    yield from (opened for opened in found if opened is not None)


def _experiments(session: Session) -> Iterator[Experiment]:
    yield session.experiment
    yield from (run.result.experiment for run in session.runs)
