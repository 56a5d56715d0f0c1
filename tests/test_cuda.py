"""On a GPU everything gives what it gives on the CPU, but for rounding."""

from pathlib import Path

import pytest
import torch

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.masks import Equispaced, PoissonDisc, Undersampling
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, choose_device, prepare, reconstruct, run
from mri_noise.recon.weights.shipped import Shipped, ShippedName
from mri_noise.result import Result
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise.point import batch_size
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here"),
    pytest.mark.filterwarnings("default"),  # torch's own, about how TF32 is switched off
]
ROOT = Path(__file__).parents[1]
SAMPLE = open_scan(ROOT / "sample_data" / "brain_phantom.h5")
SMALL = Phantom(matrix=(48, 40), n_coils=4, n_slices=1)()
GATES = 1e-2
"""What rounding may change in a map: it moves gates of rectifiers that are all but zero to the other side."""
ARCHITECTURES: tuple[ShippedName, ...] = ("unet", "unrolled", "modl", "varnet")


def _last(experiment: Experiment, device: str, **update: object) -> Result:
    scan = SAMPLE if isinstance(experiment.undersampling, Equispaced) else SMALL
    *_, last = run(scan, experiment.model_copy(update={"device": device, **update}))
    assert last.complete
    return last


def _off(found: torch.Tensor | None, expected: torch.Tensor | None, region: torch.Tensor) -> float:
    """Relative difference inside a region."""
    assert found is not None
    assert expected is not None
    assert found.device == expected.device == torch.device("cpu")
    difference = torch.linalg.vector_norm((found - expected)[region])
    return float(difference / torch.linalg.vector_norm(expected[region]))


def _experiment(name: ShippedName, variance: VarianceMethod, undersampling: Undersampling | None = None) -> Experiment:
    """With one batch everywhere, which decides when some methods stop."""
    return Experiment(
        undersampling=undersampling or Equispaced(),
        coils=MapsFromFile(),
        reconstruction=Shipped(name=name),
        linearity=LinearityCheck(n_pairs=4, batch=4),
        variance=variance,
        tangents="full",
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_default_map_is_that_of_the_cpu(name: ShippedName) -> None:
    experiment = _experiment(name, LatticeProbing(target=0.3, n_bundles=4, batch=8))
    cpu, gpu = _last(experiment, "cpu"), _last(experiment, "cuda")
    assert torch.equal(gpu.object, cpu.object)
    assert _off(gpu.image, cpu.image, cpu.object) < 1e-4
    assert cpu.estimate is not None
    assert gpu.estimate is not None
    assert gpu.estimate.plan is not None
    assert cpu.estimate.plan is not None
    assert gpu.estimate.plan.lattice == cpu.estimate.plan.lattice
    assert _off(gpu.estimate.variance_magnitude, cpu.estimate.variance_magnitude, cpu.object) < GATES
    assert gpu.linearity is not None
    assert cpu.linearity is not None
    assert gpu.linearity.rho == pytest.approx(cpu.linearity.rho, rel=GATES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_tangents_in_bfloat16_give_the_map_of_full_precision(name: ShippedName) -> None:
    experiment = _experiment(name, Sketch(n_probes=16, batch=8))
    full, auto = (_last(experiment, "cuda", tangents=arithmetic) for arithmetic in ("full", "auto"))
    assert auto.linearity is not None
    assert auto.linearity.rounding is not None
    assert auto.estimate is not None
    assert full.estimate is not None
    assert _off(auto.estimate.variance_magnitude, full.estimate.variance_magnitude, full.object) < GATES


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("unet", MonteCarlo(n_replicas=4, batch=4)),
        ("unet", ComplexLatticeProbing(target=0.3, batch=8)),
        ("unrolled", ComplexLatticeProbing(target=0.3, batch=8)),
        ("modl", MonteCarlo(n_replicas=4, batch=4)),  # here with conjugate gradients
        ("modl", Sketch(n_probes=4, batch=4)),
    ],
)
def test_other_methods_give_what_they_give_on_the_cpu(name: ShippedName, variance: VarianceMethod) -> None:
    experiment = _experiment(name, variance, PoissonDisc(acceleration=2))
    cpu, gpu = _last(experiment, "cpu"), _last(experiment, "cuda")
    assert cpu.estimate is not None
    assert gpu.estimate is not None
    assert gpu.estimate.n_evaluations == cpu.estimate.n_evaluations
    for channel, (found, _) in gpu.estimate.channels.items():
        expected, _ = cpu.estimate.channels[channel]
        assert _off(found, expected, cpu.object) < GATES


def test_auto_takes_the_gpu_whose_batches_its_memory_decides() -> None:
    assert choose_device("auto").type == "cuda"
    assert not torch.backends.cudnn.allow_tf32
    experiment = _experiment("unrolled", Sketch(n_probes=4), PoissonDisc(acceleration=2))
    cache = StageCache()
    point = reconstruct(prepare(SMALL, experiment, 0, cache), experiment, cache)
    assert point.kspace.is_cuda
    assert point.forward_memory > 0
    assert batch_size(None, point) == 32  # a small image
    assert batch_size(5, point) == 5
    last = _last(experiment, "auto")
    assert last.provenance.device == torch.cuda.get_device_name()
    assert last.provenance.peak_memory > 0


def test_double_precision_agrees_further() -> None:
    experiment = _experiment("unrolled", MonteCarlo(n_replicas=4, batch=4), PoissonDisc(acceleration=2))
    cpu, gpu = (_last(experiment, device, precision="complex128") for device in ("cpu", "cuda"))
    assert cpu.estimate is not None
    assert gpu.estimate is not None
    assert _off(gpu.estimate.channels["complex"].variance, cpu.estimate.channels["complex"].variance, cpu.object) < 1e-8


def test_a_recipe_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    from mri_noise.recon.weights.checkpoint import load_network  # noqa: PLC0415
    from mri_noise.training.loop.fit import train  # noqa: PLC0415
    from mri_noise.training.recipe import read_recipe  # noqa: PLC0415

    monkeypatch.chdir(ROOT)
    smoke = (ROOT / "recipes" / "smoke.txt").read_text().split()
    more = ["machine.accelerator=gpu", f"data.cache={tmp_path / 'cache'}"]
    recipe = read_recipe(ROOT / "recipes" / "unrolled.yaml", [*smoke, *more])
    trained = train(recipe, tmp_path / "run")
    assert trained.n_steps == 3
    before, after = recipe.network().state_dict(), load_network(trained.weights).state_dict()
    assert not all(torch.equal(before[name], after[name]) for name in before)
