from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

from mri_noise.acquisition.masks import AsAcquired, Equispaced
from mri_noise.acquisition.noise_sources import NoiseFromFile
from mri_noise.plugin.canvas.layers import Shelf
from mri_noise.plugin.docks.noise_dock import NoiseDock
from mri_noise.plugin.hooks import write_hdf5, write_nifti
from mri_noise.plugin.opening import open_file
from mri_noise.plugin.samples import FASTMRI, sample_path
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.session.layer_data import METADATA, ON_DEMAND_QUANTITIES, QUANTITIES
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.sampling.sketch import Sketch
from tests.io.reference_scans import integrated_scan, two_measurements
from tests.plugin.users import LONG, PATIENCE, QUICK, finish, open_dock, open_sample, run


@pytest.fixture
def dock(viewer: Viewer) -> NoiseDock:
    return open_dock(viewer, "MRI noise")


def test_it_says_what_is_missing(dock: NoiseDock) -> None:
    assert "No scan" in dock.status.text.text()
    assert not dock.run_button.isEnabled()
    assert not dock.cancel_button.isEnabled()


def test_a_scan_that_opens_is_chosen(viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer)
    assert dock.scan.opened is not None
    assert dock.run_button.isEnabled()
    assert dock.status.text.text().startswith("Ready")
    dock.scan._slice.setValue(3)
    assert viewer.dims.current_step[0] == 3
    assert dock.shared.session.index == 3
    viewer.dims.set_current_step(0, 2)
    assert dock.scan.index == dock.shared.session.index == 2
    viewer.layers.clear()
    assert dock.scan.opened is None


def test_a_new_window_undersamples_a_full_scan_and_maps_a_network(viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer)
    experiment = dock.shared.session.experiment
    assert experiment.undersampling == Equispaced(acceleration=4)
    assert experiment.reconstruction == Shipped(name="modl")
    assert "by MoDL" in dock.status.text.text()


def test_a_scan_with_an_integrated_reference_is_mapped_as_it_opens(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    viewer.open(integrated_scan(tmp_path / "scan.h5"), plugin="napari-mri-noise")
    assert dock.shared.session.experiment.undersampling == AsAcquired()
    dock.run()
    finish(qtbot, dock)
    assert dock.shared.session.status.kind == "done", dock.status.text.text()
    assert "std" in dock.shared.shelf.present()


def test_a_measurement_is_chosen_in_place(viewer: Viewer, dock: NoiseDock, tmp_path: Path, said: list[str]) -> None:
    open_sample(viewer)
    assert dock.scan._measurement.isHidden()
    viewer.layers.clear()
    path = two_measurements(tmp_path / "scan.h5")
    viewer.open(path, plugin="napari-mri-noise")
    box, opened = dock.scan._measurement, dock.scan.opened
    assert opened is not None and opened.scan.measurement == box.currentText() == "dataset_2"
    assert not box.isHidden() and "dataset_2 (of dataset_1, dataset_2)" in dock.scan._facts.text()
    dock.scan.add_kspace()
    box.setCurrentText("dataset_1")
    box.textActivated.emit("dataset_1")
    chosen = dock.shared.session.opened
    assert chosen is not None and chosen.scan.measurement == box.currentText() == "dataset_1"
    assert [layer.data.shape for layer in viewer.layers] == [(2, 16, 16)]
    assert "dataset_1 (of dataset_1, dataset_2)" in dock.scan._facts.text()
    path.unlink()
    box.textActivated.emit("dataset_2")
    assert box.currentText() == "dataset_1" and "there is no file" in said[-1]


def test_what_the_user_chose_before_the_scan_stays(viewer: Viewer, dock: NoiseDock) -> None:
    chosen = QUICK.model_copy(update={"undersampling": Equispaced(acceleration=2)})
    dock.form.value = chosen
    open_sample(viewer)
    assert dock.shared.session.experiment == chosen


@pytest.mark.usefixtures("unhurried")
def test_a_run_shows_its_image_first_and_refines_its_map(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    seen: list[tuple[int, int]] = []

    def look() -> None:
        shown = dock.shared.shelf.present()
        if "reconstruction" in shown:
            seen.append((len(shown), shown["std"].metadata[METADATA]["n_samples"] if "std" in shown else 0))

    dock.shared.changed.connect(look)
    run(qtbot, dock, QUICK.model_copy(update={"variance": Sketch(n_probes=24)}))
    counts = [n_samples for _, n_samples in seen]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == 24
    assert len(set(counts)) > 3
    layers = dock.shared.shelf.present()
    assert set(layers) == {"reference", "zero_filled", "reconstruction", "error", "std", "snr", "g"}
    result = dock.shared.session.runs[0].result
    assert np.allclose(layers["std"].data[0], result.estimate.variance_magnitude.sqrt(), rtol=1e-5)
    assert layers["std"].colorbar.visible
    assert "24 probes" in viewer.canvas.overlays.text.text
    assert "is done" in dock.status.text.text()


def test_a_change_makes_it_stale_and_live_runs_again(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    dock.form.value = QUICK.model_copy(update={"reconstruction": ZeroFilled()})
    qtbot.waitUntil(lambda: dock.shared.session.status.kind == "stale", timeout=PATIENCE)
    assert "reconstruction zero-filled" in dock.status.text.text()
    dock.live.setChecked(True)
    dock.form.editors["seed"].value = 1
    qtbot.waitUntil(lambda: len(dock.shared.session.runs) == 2, timeout=PATIENCE)
    assert dock.shared.session.runs[-1].result.experiment.seed == 1
    assert len([layer for layer in viewer.layers if "noise std" in layer.name]) == 1


def test_cancel_keeps_the_map(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    dock.form.value = LONG
    dock.run()
    qtbot.waitUntil(lambda: "std" in dock.shared.shelf.present(), timeout=PATIENCE)
    dock.cancel_button.click()
    finish(qtbot, dock)
    assert "is kept" in dock.status.text.text()
    kept = dock.shared.session.runs[0].result
    layers = dock.shared.shelf.present()
    assert {layers[key].metadata[METADATA]["n_samples"] for key in ("std", "snr", "g")} == {kept.estimate.n_samples}
    assert all(layers[key].metadata[METADATA]["complete"] for key in ("std", "snr", "g"))
    assert dock.shared.session.runs[0].result.complete


def test_a_cancelled_lattice_is_kept_unfinished_saved_and_loaded(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    open_sample(viewer, dock)
    dock.form.value = QUICK.model_copy(update={"variance": LatticeProbing(target=0.005)})
    dock.run()
    qtbot.waitUntil(lambda: "std" in dock.shared.shelf.present(), timeout=PATIENCE)
    dock.cancel_button.click()
    finish(qtbot, dock)
    (kept,) = dock.shared.session.runs
    estimate = kept.result.estimate
    assert f"map of {estimate.n_samples} of {estimate.n_total} colours is kept" in dock.status.text.text()
    layers = dock.shared.shelf.present()
    for key in ("std", "snr", "g"):
        metadata = layers[key].metadata[METADATA]
        assert (metadata["n_samples"], metadata["n_total"]) == (estimate.n_samples, estimate.n_total)
        assert not metadata["complete"]
    assert f"{estimate.n_samples} of {estimate.n_total} colours" in viewer.canvas.overlays.text.text
    shown = layers["std"].data.copy()
    dock.take_away.save_results(tmp_path / "part.h5")
    dock.take_away.load_results(tmp_path / "part.h5")
    assert np.array_equal(dock.shared.shelf["std"].data, shown, equal_nan=True)
    again = dock.shared.session.status
    assert again.kind == "failed"
    assert (
        again.sentence == f"Run 2 was cancelled; its map of {estimate.n_samples} of {estimate.n_total} colours is kept."
    )
    assert dock.status.text.text() == again.sentence


def test_a_target_stops_the_run(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    dock.form.target = 20.0
    run(qtbot, dock, LONG)
    assert dock.shared.session.runs[0].result.estimate.n_samples < 40


def test_an_entry_that_does_not_fit_blocks_run(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer)
    dock.form.editors["noise_scale"].native.setText("loud")
    qtbot.waitUntil(lambda: not dock.run_button.isEnabled(), timeout=PATIENCE)
    assert "noise scale" in dock.status.text.text()
    dock.form.editors["noise_scale"].native.setText("2")
    qtbot.waitUntil(dock.run_button.isEnabled, timeout=PATIENCE)


def test_two_runs_started_quickly_give_the_maps_of_the_second(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    dock.form.value = LONG
    dock.run()
    run(qtbot, dock, QUICK)
    assert dock.shared.session.runs[-1].result.experiment == QUICK
    assert dock.shared.shelf["std"].metadata[METADATA]["n_samples"] == 8


def test_a_layer_deleted_during_a_run_stays_away(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    dock.form.value = QUICK.model_copy(update={"variance": Sketch(n_probes=60)})
    dock.run()
    qtbot.waitUntil(lambda: "snr" in dock.shared.shelf.present(), timeout=PATIENCE)
    viewer.layers.remove(dock.shared.shelf["snr"])
    finish(qtbot, dock)
    assert not [layer for layer in viewer.layers if layer.name == "SNR"]
    assert dock.shared.session.status.kind == "done"


def test_further_maps_and_components_are_shown_on_demand(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    panel = dock.show_panel
    for row in range(1, panel._maps.count()):
        panel._add(row)
    assert {"std_complex", "std_real", "std_imaginary", "inverse_g", "std_error"} < set(dock.shared.shelf.present())
    image = dock.shared.shelf["reconstruction"]
    viewer.layers.selection = {image}
    panel.show_component("phase")
    assert image.name.endswith("phase [rad]")
    before = len(viewer.layers)
    dock.scan.add_kspace()
    assert len(viewer.layers) == before + 1


def test_a_map_that_is_added_is_the_visible_one(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    shelf, panel = dock.shared.shelf, dock.show_panel
    for key in ("std_complex", "inverse_g", "std_complex"):
        panel._add(1 + ON_DEMAND_QUANTITIES.index(key))
        assert coloured_maps(shelf) == {key}
        assert shelf["reconstruction"].visible
    viewer.layers.remove(shelf["inverse_g"])
    dock.tiles.setChecked(True)
    laid_out = {"std", "snr", "g"}
    assert coloured_maps(shelf) == laid_out
    panel._add(1 + ON_DEMAND_QUANTITIES.index("inverse_g"))
    assert coloured_maps(shelf) == laid_out | {"inverse_g"}


def test_an_added_map_follows_the_runs_or_goes(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    shelf = dock.shared.shelf
    for key in ("std_complex", "inverse_g"):
        dock.show_panel._add(1 + ON_DEMAND_QUANTITIES.index(key))
    run(qtbot, dock, QUICK.model_copy(update={"noise_scale": 2.0}))
    assert shelf["std_complex"].metadata[METADATA]["run"] == shelf["inverse_g"].metadata[METADATA]["run"] == "run 2"
    magnitude_only = LatticeProbing(target=0.3)
    run(qtbot, dock, QUICK.model_copy(update={"variance": magnitude_only}))
    assert shelf["inverse_g"].metadata[METADATA]["run"] == "run 3"
    assert "std_complex" not in shelf
    assert not [layer for layer in viewer.layers if "complex" in layer.name]


def coloured_maps(shelf: Shelf) -> set[str]:
    """The maps of the run that are visible."""
    return {key for key, layer in shelf.present().items() if key in QUANTITIES and layer.visible}


def test_a_clicked_voxel_shows_its_correlation(qtbot: QtBot, viewer: Viewer, dock: NoiseDock) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    correlation = dock.show_panel.correlation
    correlation.ask((60, 50))
    qtbot.waitUntil(lambda: any("correlation" in layer.name for layer in viewer.layers), timeout=PATIENCE)
    (layer,) = [layer for layer in viewer.layers if "correlation" in layer.name]
    assert layer.data[0, 60, 50] == pytest.approx(1, abs=0.5)  # its variance is an estimate of eight probes
    assert layer.contrast_limits == [-0.5, 0.5]


def test_nothing_that_the_window_reads_is_overwritten(
    qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path
) -> None:
    scan, noise = tmp_path / "scan_std.nii.gz", tmp_path / "noise.npy"
    link = tmp_path / "link.h5"
    scan.write_bytes(sample_path(FASTMRI).read_bytes())
    link.symlink_to(scan)
    for layer in open_file(scan):
        viewer.add_image(layer[0], **layer[1])
    run(qtbot, dock)
    layers = [layer.as_layer_data_tuple() for layer in viewer.layers]
    dock.form.value = QUICK.model_copy(update={"noise": NoiseFromFile(path=noise)})
    np.save(noise, np.eye(2))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    saves: tuple[tuple[Callable[[Path], object], Path], ...] = (
        (dock.take_away.save_results, link),
        (dock.take_away.save_results, tmp_path / "scan.nii.gz"),
        (dock.take_away.save_experiment, scan),
        (dock.take_away.save_experiment, noise),
        (lambda path: write_hdf5(str(path), layers), link),
        (lambda path: write_nifti(str(path), layers), tmp_path / "scan.nii.gz"),
        (open_dock(viewer, "ROI noise").save, scan),
    )
    for save, path in saves:
        with pytest.raises(ValueError, match=r"^'.*' is a (scan|file) that .* overwritten; give another name$"):
            save(path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_results_are_saved_loaded_and_copied(qtbot: QtBot, viewer: Viewer, dock: NoiseDock, tmp_path: Path) -> None:
    open_sample(viewer, dock)
    run(qtbot, dock)
    take = dock.take_away
    take.save_results(tmp_path / "a.h5")
    take.save_experiment(tmp_path / "a.yaml")
    take.copy_command()
    assert QApplication.clipboard().text().startswith("mri-noise run ")
    take.copy_python()
    assert "open_scan" in QApplication.clipboard().text()
    saved = dock.shared.shelf["std"].data.copy()
    run(qtbot, dock, QUICK.model_copy(update={"reconstruction": CGSense(tikhonov=0.5)}))
    take.load_experiment(tmp_path / "a.yaml")
    assert dock.form.value == QUICK
    take.load_results(tmp_path / "a.h5")
    assert np.array_equal(dock.shared.shelf["std"].data, saved)
    with pytest.raises(ValueError, match="came from a file"):
        take.copy_command()


def test_the_window_can_close_during_a_run(
    qtbot: QtBot, make_napari_viewer_proxy: Callable[[], Viewer], capfd: pytest.CaptureFixture[str]
) -> None:
    viewer = make_napari_viewer_proxy()
    made = open_dock(viewer, "MRI noise")
    open_sample(viewer, made)
    made.form.value = LONG
    made.run()
    shared = made.shared
    qtbot.waitUntil(lambda: "std" in shared.shelf.present(), timeout=PATIENCE)
    viewer.close()
    qtbot.waitUntil(lambda: not shared.busy, timeout=PATIENCE)
