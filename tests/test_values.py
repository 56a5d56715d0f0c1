"""What is computed or read is a value: it pickles, and a computation depends on its arguments alone."""

import pickle  # noqa: TID251 - what the test itself has pickled
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mri_noise.acquisition.masks import Equispaced
from mri_noise.acquisition.scan import Scan
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, prepare, reconstruct, run_slice, shared_plan
from mri_noise.recon.linear import CGSense
from mri_noise.recon.networks.modl import MoDLSettings
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.result import Result
from mri_noise.roi import Rectangle
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.io.bart_files import write_bart
from tests.io.ismrmrd_files import Header, Line, lines_of, random_complex, write_ismrmrd
from tests.io.random_results import assert_same
from tests.scan_files import kspace, write

SCAN = Phantom(matrix=(32, 28), n_coils=4, n_slices=2)()
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=10),
    reconstruction=MoDLSettings(n_steps=2, n_blocks=1, n_features=4, seed=4),
    variance=LatticeProbing(target=0.1),
    rois=(Rectangle(name="middle", corners=((10, 10), (18, 16))),),
)
RECONSTRUCTIONS = (CGSense(), EXPERIMENT.reconstruction, UNetSettings(n_channels=4, n_pools=2))
METHODS = (
    LatticeProbing(target=0.1),
    ComplexLatticeProbing(target=0.2),
    Sketch(n_probes=4),
    MonteCarlo(n_replicas=4),
    Exact(batch=64),
)


def _again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _last(scan: Scan, experiment: Experiment, index: int, plan: Plan | None = None) -> Result:
    *_, last = run_slice(scan, experiment, index, plan)
    return last


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.kind)
def test_every_snapshot_of_every_method_pickles(method: VarianceMethod) -> None:
    experiment = EXPERIMENT.model_copy(update={"variance": method})
    for snapshot in run_slice(SCAN, experiment, 0):
        assert_same(_again(snapshot), snapshot)
    assert snapshot.complete
    assert snapshot.rois


def test_an_experiment_and_a_prepared_slice_pickle() -> None:
    prepared = prepare(SCAN, EXPERIMENT, 0, StageCache())
    again = _again(prepared)
    assert torch.equal(again.kspace, prepared.kspace)
    assert torch.equal(again.encoding.coil_maps, prepared.encoding.coil_maps)
    assert torch.equal(again.encoding.mask, prepared.encoding.mask)
    assert_same(again.noise, prepared.noise)
    assert _again(EXPERIMENT) == EXPERIMENT


@pytest.mark.parametrize("reconstruction", RECONSTRUCTIONS, ids=lambda reconstruction: reconstruction.kind)
def test_an_operating_point_pickles_before_and_after_its_use(reconstruction: Any) -> None:
    experiment, cache = EXPERIMENT.model_copy(update={"reconstruction": reconstruction}), StageCache()
    point = reconstruct(prepare(SCAN, experiment, 0, cache), experiment, cache)
    method = Sketch(n_probes=2)
    for each in (_again(point), point, _again(point)):
        *_, found = method(each, torch.Generator().manual_seed(0))
        *_, expected = method(point, torch.Generator().manual_seed(0))
        assert_same(found, expected)


def _scans(folder: Path) -> dict[str, Scan]:
    rng = np.random.default_rng(0)
    lines = [Line(random_complex(rng, 2, 8), line, partition) for line in range(6) for partition in range(4)]
    return {
        "simulated": SCAN,
        "fastMRI": open_scan(write(folder / "fastmri.h5", kspace())),
        "BART": open_scan(write_bart(folder / "flat", random_complex(rng, 8, 6, 1, 2))),
        "BART, 3-D": open_scan(write_bart(folder / "solid", random_complex(rng, 8, 6, 4, 2))),
        "ISMRMRD": open_scan(
            write_ismrmrd(folder / "flat.h5", Header((8, 6, 1)), lines_of(random_complex(rng, 2, 8, 6)))
        ),
        "ISMRMRD, 3-D": open_scan(write_ismrmrd(folder / "solid.h5", Header((8, 6, 4)), lines)),
    }


@pytest.mark.parametrize("name", ["simulated", "fastMRI", "BART", "BART, 3-D", "ISMRMRD", "ISMRMRD, 3-D"])
def test_a_scan_of_every_format_pickles_also_after_it_was_read(name: str, tmp_path: Path) -> None:
    scan = _scans(tmp_path)[name]
    before = _again(scan)
    last = len(scan) - 1
    for again in (before, _again(scan)):
        assert_same(again[last], scan[last])
        assert [getattr(again, f.name) for f in fields(again) if f.name != "read"] == [
            getattr(scan, f.name) for f in fields(scan) if f.name != "read"
        ]
        assert_same(_again(again[last]), scan[last])


def test_a_slice_is_the_same_wherever_it_is_computed_and_its_plan_can_be_lent() -> None:
    """In a process of its own, which is given nothing but the arguments."""
    first = _last(SCAN, EXPERIMENT, 0)
    plan = shared_plan(first, first.mask)
    assert plan is not None
    here = _last(SCAN, EXPERIMENT, 1, plan)
    assert here.estimate is not None
    assert here.estimate.plan == plan
    with get_context("spawn").Pool(1, torch.set_num_threads, (torch.get_num_threads(),)) as pool:
        there = pool.apply(_last, (SCAN, EXPERIMENT, 1, plan))
    for name in (field.name for field in fields(here) if field.name != "provenance"):  # which has the time in it
        assert_same(getattr(there, name), getattr(here, name))
