"""A scan with an integrated reference, from its file to its map."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mri_noise import load_results, open_scan, run
from mri_noise.cli.app import app
from mri_noise.experiment import Experiment
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.sketch import Sketch
from tests.io.reference_scans import PHANTOM, integrated_mask, integrated_scan

LINEAR = Experiment.parse({"noise": {"kind": "prescan"}, "reconstruction": {"kind": "cg-sense", "tikhonov": 0.01}})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return integrated_scan(tmp_path / "scan.h5")


def test_its_kspace_and_its_noise_are_those_of_the_phantom(path: Path) -> None:
    scan = open_scan(path)
    for index in range(2):
        piece, mask = scan[index], integrated_mask()
        np.testing.assert_array_equal(piece.mask, mask)
        np.testing.assert_allclose(piece.kspace, PHANTOM()[index].kspace.numpy() * mask, atol=1e-4)
    assert piece.noise is not None
    whitener = torch.linalg.inv(torch.linalg.cholesky(PHANTOM.noise_covariance()))
    estimated = whitener @ piece.noise.covariance @ whitener.mH
    assert float((estimated - torch.eye(6)).abs().max()) < 4.5 / np.sqrt(16 * 256)


def test_its_map_is_exact_in_units_of_its_standard_error(path: Path) -> None:
    scan, methods = open_scan(path), (Exact(batch=64), Sketch(n_probes=400, batch=50))
    (*_, exact), (*_, sampled) = (
        run(scan, LINEAR.model_copy(update={"variance": each}), slices=[1]) for each in methods
    )
    assert exact.estimate is not None and sampled.estimate is not None
    difference = sampled.estimate.variance_magnitude - exact.estimate.variance_magnitude
    z = (difference / sampled.estimate.standard_error_magnitude)[sampled.object]
    assert float(z.abs().max()) < 5
    assert 0.5 < float(z.square().mean()) < 1.5


def test_the_command_maps_it(path: Path, tmp_path: Path) -> None:
    arguments = ["run", str(path), "-o", str(tmp_path / "out.h5"), "-s", "variance.kind=sketch", "-s"]
    ended = CliRunner().invoke(app, [*arguments, "variance.n_probes=8", "--slice", "all"])
    assert ended.exit_code == 0, ended.stderr
    assert [tuple(result.image.shape) for result in load_results(tmp_path / "out.h5")] == [PHANTOM.matrix] * 2
