import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mri_noise.readings import estimate_of
from mri_noise.session.components import COMPONENTS
from mri_noise.session.layer_data import (
    QUANTITIES,
    correlation_layer,
    difference_layer,
    geometry,
    image_layers,
    map_layers,
)
from tests.session.examples import EXPERIMENT, steps

FIRST, LAST = steps()[0], steps()[-1]


def test_images_come_before_the_maps() -> None:
    layers = image_layers(FIRST.result, "run 1", FIRST.reference)
    assert [layer.key for layer in layers] == ["reference", "zero_filled", "reconstruction", "error"]
    assert map_layers(FIRST.result, "run 1") == ()
    assert [layer.key for layer in layers if layer.look.visible] == ["reconstruction"]


def test_without_a_reference_there_is_no_error() -> None:
    assert [layer.key for layer in image_layers(FIRST.result, "run 1")] == ["zero_filled", "reconstruction"]


def test_images_share_a_window_and_the_error_is_symmetric() -> None:
    *images, error = image_layers(FIRST.result, "run 1", FIRST.reference)
    assert len({layer.look.window for layer in images}) == 1
    assert error.look.window[0] == -error.look.window[1] < 0
    expected = FIRST.result.image.abs() - FIRST.reference.abs()
    assert np.allclose(error.data[0], expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("key", QUANTITIES)
def test_a_map_has_its_values_its_place_and_its_unit(key: str) -> None:
    (layer,) = map_layers(LAST.result, "run 1", [key])
    assert layer.data.shape == (1, 32, 28)
    assert layer.data.dtype == np.float32
    assert np.allclose(layer.data[0], QUANTITIES[key].values(LAST.result).numpy(), rtol=1e-5, equal_nan=True)
    assert layer.look.window[0] == 0 < layer.look.window[1]
    assert layer.geometry == geometry(LAST.result.provenance.voxel_size, 1)
    assert ("[a.u.]" in layer.name) == key.startswith("std")


def test_standard_error_of_the_map_follows_from_that_of_the_variance() -> None:
    estimate = LAST.result.estimate
    assert estimate is not None
    (layer,) = map_layers(LAST.result, "run 1", ["std_error"])
    below, above = (
        (estimate.variance_magnitude + sign * 1e-3 * estimate.standard_error_magnitude).sqrt() for sign in (-1, 1)
    )
    expected = (above - below)[LAST.result.object] / 2e-3
    assert np.allclose(layer.data[0][LAST.result.object.numpy()], expected.numpy(), rtol=1e-3)


@pytest.mark.parametrize("key", QUANTITIES)
def test_what_was_not_computed_is_not_shown(key: str) -> None:
    estimate, inside = estimate_of(LAST.result), LAST.result.object
    probed = estimate.only(*estimate.channels, region=inside)
    (layer,) = map_layers(replace(LAST.result, estimate=probed), "run 1", [key])
    assert np.array_equal(np.isfinite(layer.data[0]), inside.numpy())


def test_g_is_relative_to_the_optimal_fully_sampled_combination_which_a_run_finds_once() -> None:
    result = LAST.result
    psi = torch.linalg.inv(result.noise.covariance)
    maps = result.coil_maps.to(torch.complex128)
    n_samples = result.noise.n_samples
    assert n_samples is not None
    unbiased = n_samples / (n_samples - len(psi) + 1)
    full = unbiased / torch.einsum("cyx,cd,dyx->yx", maps.conj(), psi, maps).real
    net = result.mask.numel() / result.mask.sum()
    expected = (2 * estimate_of(result).variance_magnitude / (full * net)).sqrt()
    (layer,) = map_layers(result, "run 1", ["g"])
    inside = result.object.numpy()
    assert np.allclose(layer.data[0][inside], expected.numpy()[inside], rtol=1e-5)
    assert np.isnan(layer.data[0][~inside]).all()
    assert all(step.result.full_variance is result.full_variance for step in steps())


def test_provenance_is_json_and_holds_the_experiment() -> None:
    (layer, *_) = map_layers(LAST.result, "run 1")
    provenance = json.loads(json.dumps(layer.provenance))
    assert provenance == layer.provenance
    assert EXPERIMENT.parse(provenance["experiment"]) == LAST.result.experiment
    assert (provenance["version"], provenance["n_samples"], provenance["complete"]) == (1, 8, True)


def test_slices_lie_behind_each_other_in_millimetres() -> None:
    where = geometry((5.0, 1.5, 1.25), 3)
    assert (where.scale, where.translate) == ((5.0, 1.5, 1.25), (15.0, 0.0, 0.0))
    assert where.units == ("mm",) * 3
    assert geometry(None, 2).units == ("pixel",) * 3


def test_differences_and_correlations_are_drawn_around_zero() -> None:
    difference = difference_layer(LAST.result, LAST.result, "run 1")
    assert not difference.data.any()
    correlation = correlation_layer(LAST.result, "run 1", (3, 4), torch.eye(32, 28))
    for layer in (difference, correlation):
        assert layer.look.window[0] == -layer.look.window[1] < 0
    assert "3, 4" in correlation.name


def test_components_of_complex_values() -> None:
    z = np.array([[3 + 4j, -2j], [1e-9 + 0j, -1 + 0j]])
    shown = {name: component.values(z) for name, component in COMPONENTS.items()}
    assert np.allclose(shown["magnitude"], np.abs(z))
    assert np.allclose(shown["real"] + 1j * shown["imaginary"], z)
    assert np.allclose(shown["magnitude"] * np.exp(1j * shown["phase"]), z)
    assert np.allclose(10 ** shown["log magnitude"], np.abs(z))
    assert {component.key for component in COMPONENTS.values()} == set("mpril")


def test_windows_of_components() -> None:
    z = np.linspace(0, 10, 1001)[None] * 1j
    assert COMPONENTS["phase"].window(z) == (-np.pi, np.pi)
    low, high = COMPONENTS["log magnitude"].window(z)
    assert (low, high) == pytest.approx((-3, 1))
    assert COMPONENTS["magnitude"].window(z) == pytest.approx((0, 9.95))
    assert COMPONENTS["real"].window(np.zeros((2, 2), complex)) == (-1, 1)
