import json
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from mri_noise import open_scan, save_results
from mri_noise.plugin.canvas.furniture import CanvasFurniture
from mri_noise.plugin.canvas.layers import Shelf, add_layer, layer_data, show_component, source_of
from mri_noise.plugin.hooks import get_reader, open_fastmri_sample, open_ismrmrd_sample, write_hdf5, write_nifti
from mri_noise.plugin.opening import view_layer
from mri_noise.plugin.samples import FASTMRI, sample_path
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.layer_data import METADATA, image_layers, map_layers
from mri_noise.session.scans import COILS, KSPACE, MAPS, as_array
from mri_noise.session.state import Session
from tests.session.examples import steps

PATH = sample_path(FASTMRI)
OPENED = OpenedScan(open_scan(PATH), PATH)
FIRST, LAST = steps()[0].result, steps()[-1].result


def test_a_scan_opens_lazily_with_its_place_and_units() -> None:
    reader = get_reader(str(PATH))
    assert reader is not None
    ((data, arguments, kind),) = reader(str(PATH))
    assert kind == "image"
    assert data.shape == (4, 128, 128)
    assert not isinstance(data, np.ndarray)
    assert arguments["scale"] == OPENED.scan.voxel_size
    assert arguments["units"] == ("mm",) * 3
    assert arguments["axis_labels"] == ("slice", "row", "column")
    provenance = arguments["metadata"][METADATA]
    assert json.loads(json.dumps(provenance))["path"] == str(PATH)


def test_a_slice_of_the_layer_is_the_root_sum_of_squares() -> None:
    ((data, *_),) = open_fastmri_sample()
    coils = as_array(COILS, OPENED.scan[3])
    assert np.allclose(np.asarray(data[3]), np.sqrt((np.abs(coils) ** 2).sum(0)), rtol=1e-5)


def test_every_format_opens() -> None:
    ((data, *_),) = open_ismrmrd_sample()
    assert data.shape == (2, 128, 128)


@pytest.mark.parametrize("view", [KSPACE, COILS, MAPS])
def test_views_have_coils_before_slices(view: object) -> None:
    data, arguments, _ = view_layer(OPENED, view)
    assert data.shape == (8, 4, 128, 128)
    assert arguments["axis_labels"] == ("coil", "slice", "row", "column")
    values = as_array(view, OPENED.scan[1])
    shown = np.log10(np.maximum(np.abs(values), np.finfo(np.float32).tiny)) if view is KSPACE else np.abs(values)
    assert np.allclose(np.asarray(data[:, 1]), shown, rtol=1e-4)


def test_a_layer_of_views_lies_on_that_of_the_scan() -> None:
    viewer = ViewerModel()
    add_layer(viewer, open_fastmri_sample()[0])
    add_layer(viewer, view_layer(OPENED, COILS))
    assert viewer.dims.axis_labels == ("coil", "slice", "row", "column")
    assert viewer.dims.nsteps == (8, 4, 128, 128)


def test_components_are_switched_and_the_phase_keeps_its_window() -> None:
    viewer = ViewerModel()
    _furniture = CanvasFurniture(viewer, Session)
    layer = add_layer(viewer, layer_data(image_layers(FIRST, "run 1")[1], FIRST))
    assert np.allclose(layer.data[0], FIRST.image.abs(), atol=1e-6)
    show_component(layer, "phase")
    assert np.allclose(layer.data[0], FIRST.image.angle(), atol=1e-5)
    assert layer.contrast_limits == pytest.approx([-np.pi, np.pi])
    assert layer.colormap.name == "twilight_shifted"
    assert layer.name == "CG-SENSE, phase [rad]"
    assert layer.colorbar.visible
    show_component(layer, "magnitude")
    assert layer.name == "CG-SENSE [a.u.]"
    assert not layer.colorbar.visible


def test_a_layer_without_components_stays_as_it_is() -> None:
    layer = Image(np.zeros((4, 4)))
    show_component(layer, "phase")
    assert layer.name == "Image"
    real = Image(*layer_data(map_layers(LAST, "run 1", ["std"])[0], LAST)[:1])
    show_component(real, "phase")
    assert source_of(real) is None


def test_layers_are_refined_in_place_and_keep_what_the_user_chose() -> None:
    viewer = ViewerModel()
    shelf = Shelf(viewer)
    early = steps()[3].result
    shelf.show(map_layers(early, "run 1"), early)
    std, snr = shelf["std"], shelf["snr"]
    snr.contrast_limits = (1, 2)
    g = shelf["g"]
    viewer.layers.remove(g)
    before = tuple(std.contrast_limits)
    shelf.show(map_layers(LAST, "run 1"), LAST)
    assert shelf["std"] is std
    assert np.allclose(std.data[0], LAST.estimate.variance_magnitude.sqrt(), rtol=1e-5)
    assert std.metadata[METADATA]["n_samples"] == 8
    assert tuple(std.contrast_limits) != before
    assert tuple(snr.contrast_limits) == (1, 2)
    assert g not in viewer.layers
    shelf.renew()
    shelf.show(map_layers(LAST, "run 2"), LAST)
    assert shelf["g"] in viewer.layers
    assert len(viewer.layers) == 3
    shelf.clear()
    assert len(viewer.layers) == 0


def test_results_are_saved_from_their_layers_and_open_again(tmp_path: Path) -> None:
    made = [layer_data(spec, LAST) for spec in map_layers(LAST, "run 1")]
    path = str(tmp_path / "result.h5")
    assert write_hdf5(path, made) == [path]
    reader = get_reader(path)
    assert reader is not None
    again = {arguments["name"]: data for data, arguments, _ in reader(path)}
    assert {arguments["name"] for _, arguments, _ in made} < set(again)
    for data, arguments, _ in made:
        assert np.array_equal(again[arguments["name"]], data, equal_nan=True)
    volumes = str(tmp_path / "maps.nii.gz")
    assert write_nifti(volumes, made) == [volumes]
    assert list(tmp_path.glob("maps*.nii.gz"))


def test_layers_of_others_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of these layers"):
        write_hdf5(str(tmp_path / "a.h5"), [(np.zeros((3, 3)), {"metadata": {}}, "image")])


def test_a_saved_result_is_told_from_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "result.hdf5"
    save_results([LAST], path)
    reader = get_reader(str(path))
    assert reader is not None
    assert [arguments["name"] for _, arguments, _ in reader([str(path)])][:2] == [
        "zero-filled [a.u.]",
        "CG-SENSE [a.u.]",
    ]
