"""What napari calls: readers, samples, writers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from napari import current_viewer
from napari.utils.notifications import show_error

from mri_noise.io.nifti import save_nifti, volume_paths
from mri_noise.io.results import save_results
from mri_noise.plugin.canvas.layers import SOURCE, LayerData
from mri_noise.plugin.in_use import require_unread
from mri_noise.plugin.opening import open_file
from mri_noise.plugin.samples import FASTMRI, ISMRMRD, sample_path
from mri_noise.plugin.window import session_of
from mri_noise.readings import estimate_of
from mri_noise.result import Result

Reader = Callable[[str | Sequence[str]], list[LayerData] | list[tuple[None]]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Read scans (fastMRI, ISMRMRD, BART) and saved results; a fault is one sentence when it is read."""
    return None if not path else read


def read(path: str | Sequence[str]) -> list[LayerData] | list[tuple[None]]:
    """Read one file, or several; those that cannot be read are told in a sentence each."""
    made: list[LayerData] = []
    for each in [path] if isinstance(path, str) else path:
        try:
            made += open_file(Path(each))
        except (ValueError, OSError) as error:
            show_error(str(error))
    return made or [(None,)]  # napari's sign for a reader that adds no layers


def open_fastmri_sample() -> list[LayerData]:
    """The simulated brain of four slices, fastMRI HDF5."""
    return open_file(sample_path(FASTMRI))


def open_ismrmrd_sample() -> list[LayerData]:
    """Two slices of the simulated brain, ISMRMRD HDF5."""
    return open_file(sample_path(ISMRMRD))


def write_hdf5(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save the results that layers show: images, maps and provenance."""
    results = _results_of(layers)
    _require_unread([Path(path)], layers)
    save_results(results, path)
    return [path]


def write_nifti(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save the maps that layers show as NIfTI volumes."""
    results = _results_of(layers)
    _require_unread(volume_paths(path), layers)
    save_nifti(results, Path(path))
    return [path]


def _require_unread(paths: Sequence[Path], layers: Sequence[LayerData]) -> None:
    """Raise ValueError if a file is read by the window, or by one of the layers that are saved."""
    viewer = current_viewer()
    sources = [arguments.get("metadata", {}).get(SOURCE) for _, arguments, _ in layers]
    require_unread(paths, viewer, session_of(viewer), sources=sources)


def _results_of(layers: Sequence[LayerData]) -> list[Result]:
    """The results behind layers, each once and as far as it has come, by slice.

    Raises
    ------
    ValueError
        If no layer shows a result with a noise map.
    """
    sources = [arguments.get("metadata", {}).get(SOURCE) for _, arguments, _ in layers]
    kept = [source.origin for source in sources if source is not None]
    origins = [each for origin in kept for each in (origin if isinstance(origin, tuple) else (origin,))]
    results = [origin for origin in origins if isinstance(origin, Result) and origin.estimate is not None]
    if not results:
        raise ValueError("none of these layers shows a noise map of MRI noise; select the layers of a run")
    results.sort(key=lambda result: estimate_of(result).n_samples)
    furthest = {(result.provenance.fingerprint, result.experiment, result.index): result for result in results}
    return sorted(furthest.values(), key=lambda result: result.index)
