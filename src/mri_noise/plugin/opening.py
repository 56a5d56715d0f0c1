"""Scans and results as layers, read when they are looked at."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import show_error, show_warning
from numpy.typing import NDArray

from mri_noise.acquisition.scan import Scan
from mri_noise.io.formats import open_scan
from mri_noise.io.hdf5 import open_hdf5
from mri_noise.io.results import FORMAT, load_results
from mri_noise.plugin.canvas.keys import bind_component_keys
from mri_noise.plugin.canvas.layers import LayerData, entitle, layer_data, source_of
from mri_noise.result import Result
from mri_noise.session.components import COMPONENTS
from mri_noise.session.identities import distinct_titles, identity
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.layer_data import (
    DATA_UNITS,
    METADATA_VERSION,
    Geometry,
    LayerSpec,
    Look,
    geometry,
    image_layers,
    map_layers,
)
from mri_noise.session.scans import COMBINED, VIEWS, ScanView, as_array


def open_file(path: Path) -> list[LayerData]:
    """Open a scan or a saved result, which its content tells.

    Raises
    ------
    ValueError
        In one sentence, for anything else.
    """
    bind_component_keys()
    if is_result(path):
        results = load_results(path)
        for missing in dict.fromkeys(result.missing for result in results if result.missing):
            show_warning(f"'{path.name}': {missing}")
        return [made for result in results for made in result_layers(result, path.stem)]
    return [scan_layer(OpenedScan(open_scan(path), path.absolute()))]


def is_result(path: Path) -> bool:
    """Whether a file is a saved result."""
    if path.suffix not in (".h5", ".hdf5") or not path.is_file():
        return False
    try:
        with open_hdf5(path) as file:
            return file.attrs.get("format") == FORMAT
    except ValueError:
        return False


def scan_layer(opened: OpenedScan) -> LayerData:
    """The coil-combined magnitude of a scan, a slice at a time."""
    return layer_data(view_spec(opened, COMBINED), opened)


def view_layer(opened: OpenedScan, view: ScanView, name: str = "") -> LayerData:
    """The k-space, the coils or the coil maps of a scan, which the layer calls by its own name or another one."""
    return layer_data(view_spec(opened, view, name), opened, view.component)


def scan_of(layer: Layer) -> OpenedScan | None:
    """The scan that a layer shows something of."""
    source = source_of(layer)
    return source.origin if source is not None and isinstance(source.origin, OpenedScan) else None


def scans_of(viewer: ViewerModel) -> list[OpenedScan]:
    """The scans that the layers of a window show, in their order; one for each layer."""
    return [opened for layer in viewer.layers if (opened := scan_of(layer)) is not None]


def tell_scans_apart(viewer: ViewerModel) -> None:
    """Let the layers of scans of one name say in which folders their files are, and others not."""
    titles = distinct_titles(scans_of(viewer))
    for layer in viewer.layers:
        source, opened = source_of(layer), scan_of(layer)
        if source is not None and opened is not None:
            entitle(layer, _title(VIEWS[source.spec.key], titles[identity(opened)]))


def result_layers(result: Result, run: str) -> list[LayerData]:
    """The images and maps of a saved result."""
    return [layer_data(spec, result) for spec in (*image_layers(result, run), *map_layers(result, run))]


def view_spec(opened: OpenedScan, view: ScanView, name: str = "") -> LayerSpec:
    """What a view shows of all slices of a scan; the coils are the first axis, where napari makes them a slider."""
    scan = opened.scan
    data = _lazy(scan, view)
    example = as_array(view, scan[len(scan) // 2])
    component = COMPONENTS["magnitude"]
    return LayerSpec(
        key=view.key,
        title=_title(view, name or scan.name),
        unit="" if view.key == "coil_maps" else DATA_UNITS,
        data=data,
        look=Look(component.colormap, component.window(example)),
        geometry=_with_coils(geometry(scan.voxel_size)) if view.by_coil else geometry(scan.voxel_size),
        provenance={
            "version": METADATA_VERSION,
            "quantity": view.key,
            "scan": scan.name,
            "path": str(opened.path),
            "fingerprint": scan.fingerprint,
        },
    )


def _title(view: ScanView, name: str) -> str:
    return f"{view.title}, {name}" if view.title else name


def _lazy(scan: Scan, view: ScanView) -> da.Array:
    """Shape ([coils,] slices, rows, columns), read slice by slice; one that cannot be read is said, and is NaN."""
    dtype = np.complex64 if view.by_coil else np.float32
    shape = (scan.n_coils, *scan.matrix) if view.by_coil else scan.matrix

    @delayed
    def read(index: int) -> NDArray[Any]:
        try:
            return as_array(view, scan[index])
        except (ValueError, OSError) as error:
            show_error(str(error))
            return np.full(shape, np.nan, dtype)

    return da.stack([da.from_delayed(read(index), shape, dtype) for index in range(len(scan))], axis=-3)


def _with_coils(place: Geometry) -> Geometry:
    return Geometry((1.0, *place.scale), (0.0, *place.translate), ("pixel", *place.units), ("coil", *place.axis_labels))
