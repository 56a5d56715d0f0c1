from pathlib import Path

import numpy as np
import pytest
import torch

from mri_noise.acquisition.coils import LowResolution, MapsFromFile
from mri_noise.acquisition.masks import Equispaced, Random2D
from mri_noise.acquisition.noise import noise_of_level
from mri_noise.acquisition.noise_sources import NoiseFromFile, NoiseFromPrescan
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.experiment import Experiment
from mri_noise.io.formats import open_scan
from mri_noise.io.nifti import load_nifti, save_nifti
from mri_noise.io.results import load_results, save_results
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache, choose_device, prepare, reconstruct, run
from mri_noise.readings import comparison_of
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.networks.varnet import VarNetSettings
from mri_noise.report import summary_table
from mri_noise.result import Result
from mri_noise.roi import Rectangle
from mri_noise.variance.check.linearity import LinearityCheck
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.linearise import precision
from mri_noise.variance.maps import g_factor
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.monte_carlo import MonteCarlo
from mri_noise.variance.sampling.sketch import Sketch
from tests.io.random_results import assert_same
from tests.problems import covariance_z

SCAN = Phantom(matrix=(32, 28), n_coils=4, n_slices=3)()
SMALL = Phantom(matrix=(20, 18), n_coils=4, n_slices=2)()
"""For methods that compute every voxel."""
EXPERIMENT = Experiment(
    undersampling=Equispaced(acceleration=2, n_calibration=10),
    coils=MapsFromFile(),
    variance=Sketch(n_probes=6, batch=2),
)


def _last(experiment: Experiment, scan: Scan = SCAN, index: int = 1, cache: StageCache | None = None) -> Result:
    *_, last = run(scan, experiment, slices=[index], cache=cache)
    assert last.complete
    return last


def _changed(**update: object) -> Experiment:
    return EXPERIMENT.model_copy(update=update)


def test_the_image_comes_first_and_the_variance_refines() -> None:
    snapshots = list(run(SCAN, EXPERIMENT, slices=[0, 2]))
    assert [s.index for s in snapshots] == [0] * 5 + [2] * 5
    counts = [None if s.estimate is None else s.estimate.n_samples for s in snapshots]
    assert counts == [None, 0, 2, 4, 6] * 2
    assert [s.complete for s in snapshots] == [False, False, False, False, True] * 2
    assert torch.equal(snapshots[0].image, snapshots[4].image)
    assert snapshots[4].provenance.seconds > 0


def test_a_first_look_is_all_there_is_before_the_first_samples() -> None:
    _image, look, first, *_ = run(SCAN, EXPERIMENT, slices=[1])
    assert look.estimate is not None
    assert first.estimate is not None
    assert look.linearity is None
    assert first.linearity is not None
    assert look.estimate.quick_look is not None
    assert torch.equal(look.estimate.quick_look, look.object)
    assert first.estimate.quick_look is None
    assert torch.isfinite(look.estimate.variance_magnitude[look.object]).all()
    assert torch.isnan(look.estimate.variance_magnitude[~look.object]).all()
    _image, replicas, *_ = run(SCAN, _changed(variance=MonteCarlo(n_replicas=4)), slices=[1])
    assert replicas.estimate is not None
    assert replicas.estimate.n_samples > 0


def test_a_run_repeats_bit_for_bit() -> None:
    experiment = _changed(reconstruction=UNetSettings(n_channels=4, n_pools=2), added_noise=0.5)
    first, second = _last(experiment), _last(experiment)
    assert torch.equal(first.image, second.image)
    assert first.estimate is not None
    assert second.estimate is not None
    assert torch.equal(first.estimate.channels["complex"].variance, second.estimate.channels["complex"].variance)


def test_seeds_and_slices_have_noise_of_their_own() -> None:
    kspaces = [
        prepare(SCAN, _changed(added_noise=1.0, seed=seed), index, StageCache()).kspace
        - prepare(SCAN, EXPERIMENT, index, StageCache()).kspace
        for seed, index in ((0, 0), (1, 0), (0, 1))
    ]
    assert not torch.equal(kspaces[0], kspaces[1])
    assert not torch.equal(kspaces[0], kspaces[2])


def test_added_noise_has_its_level_and_counts_in_the_covariance() -> None:
    clean, noisy = (prepare(SCAN, _changed(added_noise=a), 1, StageCache()) for a in (0.0, 2.0))
    added = (noisy.kspace - clean.kspace)[:, clean.encoding.mask]
    level = float(clean.noise.covariance[0, 0].real)
    assert float(added.abs().square().mean()) == pytest.approx(4 * level, rel=4 / added.numel() ** 0.5)
    torch.testing.assert_close(noisy.noise.covariance, 5 * clean.noise.covariance)


def test_noise_scale_scales_the_maps_and_not_the_data() -> None:
    one, three = _last(EXPERIMENT), _last(_changed(noise_scale=3.0))
    assert torch.equal(one.image, three.image)
    assert one.estimate is not None
    assert three.estimate is not None
    torch.testing.assert_close(
        three.estimate.channels["complex"].variance, 9 * one.estimate.channels["complex"].variance, rtol=1e-4, atol=0
    )


def test_prewhitening_makes_white_noise_of_the_mean_level() -> None:
    measured = prepare(SCAN, _changed(prewhiten=False, noise=NoiseFromPrescan()), 0, StageCache()).noise
    white = prepare(SCAN, _changed(prewhiten=True, noise=NoiseFromPrescan()), 0, StageCache()).noise
    mean, n_samples = measured.covariance.diagonal().real.mean(), measured.n_samples
    assert n_samples == 4096 and white.n_samples == 2048
    expected = (mean * torch.eye(4)).to(torch.complex128)
    assert (covariance_z(white.covariance, expected, n_samples // 4) < 4.5).all(), "the errors of both halves"
    off_diagonal = measured.covariance - torch.diag(measured.covariance.diagonal())
    assert off_diagonal.abs().max() > 0.05 * mean


def test_prewhitened_sense_has_the_least_noise_of_an_unbiased_combination(tmp_path: Path) -> None:
    """Gauss and Markov: fully sampled, whitened SENSE reaches 1 / (S^H Psi^-1 S), unwhitened SENSE does not."""
    np.save(tmp_path / "psi.npy", prepare(SMALL, _changed(prewhiten=False), 0, StageCache()).noise.covariance.numpy())
    exact = {
        "noise": NoiseFromFile(path=tmp_path / "psi.npy"),
        "undersampling": Equispaced(acceleration=1, n_calibration=0),
        "variance": Exact(),
        "precision": "complex128",
    }
    sense = CGSense(tikhonov=0)
    white = _last(_changed(**exact, reconstruction=sense), SMALL)
    assert white.estimate is not None
    g = g_factor(white.estimate.channels["complex"].variance, white.full_variance, 1.0)
    torch.testing.assert_close(g[white.object], torch.ones_like(g[white.object]), rtol=1e-6, atol=0)
    shaped = _last(_changed(**exact, reconstruction=sense, prewhiten=False), SMALL)
    assert shaped.estimate is not None
    inside = white.object & shaped.object
    signal_to_noise = [
        r.zero_filled.abs()[inside] / r.estimate.channels["complex"].variance[inside].sqrt() for r in (white, shaped)
    ]
    assert (signal_to_noise[0] / signal_to_noise[1]).median() > 1.01


def test_undersampling_keeps_within_what_was_acquired() -> None:
    acquired = SCAN[0]
    holes = acquired.mask.clone()
    holes[:, 20:] = False
    partial = Slice(acquired.kspace * holes, holes, acquired.noise, acquired.coil_maps)
    scan = Scan("partial", "test", ("slice 0",), 4, (32, 28), (-1,), None, "sha256:partial", lambda index: partial)
    result = _last(EXPERIMENT, scan, 0)
    assert not result.mask[:, 20:].any()
    assert result.mask[:, :20].any()


def test_rois_are_read_out_when_the_variance_is_complete() -> None:
    experiment = _changed(rois=(Rectangle(name="centre", corners=((12, 10), (18, 16))),), variance=Exact())
    snapshots = list(run(SMALL, experiment, slices=[1]))
    assert all(s.rois == () for s in snapshots[:-1])
    (roi,) = snapshots[-1].rois
    assert roi.name == "centre"
    assert roi.noise.n_voxels == 49
    region = experiment.rois[0]((20, 18))
    assert snapshots[-1].estimate is not None
    voxels = snapshots[-1].estimate.variance_magnitude[region].mean().sqrt()
    assert 0 < roi.noise.standard_deviation_magnitude < float(voxels)


def test_an_roi_outside_the_image_is_refused() -> None:
    experiment = _changed(rois=(Rectangle(corners=((100, 100), (110, 110))),))
    with pytest.raises(ValueError, match="region holds no voxel"):
        _last(experiment)


def test_stages_are_computed_once_for_the_settings_upstream_of_them() -> None:
    reads = []

    def read(index: int) -> Slice:
        reads.append(index)
        return SCAN[index]

    scan = Scan("counted", "test", SCAN.labels, 4, (32, 28), (-1,), None, "sha256:counted", read)
    cache = StageCache()
    first = prepare(scan, EXPERIMENT, 0, cache)
    assert prepare(scan, _changed(reconstruction=ZeroFilled(), variance=MonteCarlo()), 0, cache) is first
    assert prepare(scan, _changed(coils=LowResolution()), 0, cache) is not first
    assert reads == [0]
    prepare(scan, EXPERIMENT, 1, cache)
    assert reads == [0, 1]


def test_the_cache_forgets_the_oldest() -> None:
    cache, made = StageCache(n_entries=2), []
    for key in ("a", "b", "a", "c", "b"):
        cache.get(key, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_closing_a_run_stops_it() -> None:
    snapshots = run(SCAN, _changed(variance=Sketch(n_probes=10_000, batch=2)), slices=[0])
    next(snapshots)
    next(snapshots)
    snapshots.close()  # type: ignore[attr-defined]
    assert list(snapshots) == []


def test_a_slice_out_of_range_is_named() -> None:
    with pytest.raises(IndexError, match="has slices 0 to 2"):
        list(run(SCAN, EXPERIMENT, slices=[3]))


def test_cuda_where_there_is_none_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ValueError, match="torch finds no CUDA GPU"):
        choose_device("cuda")
    assert choose_device("auto") == torch.device("cpu")


def test_precision() -> None:
    assert _last(EXPERIMENT).image.dtype == torch.complex64
    assert _last(_changed(precision="complex128")).image.dtype == torch.complex128


def test_tangents_in_bfloat16_are_taken_said_and_kept_from_exact_read_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard deviations are norms of products: off by less than these, which ``most_by_accumulation`` bounds."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(precision, "LARGEST_ROUNDING", 0.05)  # this network is off by 0.7 %, on some processors by more
    settings = {
        "reconstruction": UNetSettings(n_channels=4, n_pools=2),
        "variance": LatticeProbing(target=0.1),
        "linearity": LinearityCheck(correct=False),
        "rois": (Rectangle(corners=((12, 10), (18, 16))),),
    }
    cache = StageCache()
    full, auto = (_last(_changed(**settings, tangents=each), cache=cache) for each in ("full", "auto"))
    assert full.linearity is not None
    assert auto.linearity is not None
    assert full.linearity.rounding is None
    assert auto.linearity.rounding is not None
    assert auto.rois == full.rois
    assert auto.estimate is not None
    assert full.estimate is not None
    ours, exact = (each.estimate.variance_magnitude[full.object].sqrt() for each in (auto, full))  # type: ignore[union-attr]
    off = float(torch.linalg.vector_norm(ours - exact) / torch.linalg.vector_norm(exact))
    assert 0 < off < 2.5 * auto.linearity.rounding
    assert list(summary_table([full, auto])["derivative"]) == [
        "averaged over the noise, full precision",
        f"averaged over the noise, bfloat16, off by {100 * auto.linearity.rounding:.2f} % in a probe",
    ]


@pytest.mark.parametrize("method", [LatticeProbing(target=0.1), ComplexLatticeProbing(target=0.1)])
def test_lattice_probing_shows_a_first_look_and_ends_with_the_object(
    method: LatticeProbing | ComplexLatticeProbing, tmp_path: Path
) -> None:
    first, look, *snapshots = run(SCAN, _changed(variance=method), slices=[1])
    assert first.estimate is None
    assert look.linearity is None
    for snapshot in snapshots:
        assert snapshot.estimate is not None
        assert snapshot.linearity is not None
        assert torch.isfinite(snapshot.estimate.variance_magnitude[snapshot.object]).all()
    early, last = snapshots[0].estimate, snapshots[-1].estimate
    assert early is not None
    assert last is not None
    assert early.quick_look is not None
    assert bool(early.quick_look.any())
    assert last.quick_look is None
    assert last.plan is not None
    assert torch.isnan(last.variance_magnitude[~first.object]).all()
    save_results(snapshots[:1], tmp_path / "early.h5")
    (unfinished,) = load_results(tmp_path / "early.h5")
    assert not unfinished.complete
    assert_same(unfinished.estimate, early)
    save_nifti(snapshots[:1], tmp_path / "early")
    (std,) = load_nifti(tmp_path / "early_std.nii.gz").values
    assert torch.equal(std.isnan(), early.quick_look | ~first.object)
    save_results(snapshots[-1:], tmp_path / "out.h5")
    (loaded,) = load_results(tmp_path / "out.h5")
    assert loaded.linearity == snapshots[-1].linearity
    assert loaded.estimate is not None
    assert loaded.estimate.plan == last.plan
    assert loaded.estimate.channels.keys() == last.channels.keys()


def test_the_slices_of_a_run_share_their_pilots() -> None:
    def complete(*, share: bool) -> list[Result]:
        method = LatticeProbing(target=0.2, share_pilots=share)
        return [r for r in run(SCAN, _changed(variance=method), slices=[0, 1]) if r.complete]

    shared, own = complete(share=True), complete(share=False)
    for each, pays in ((shared, (True, False)), (own, (True, True))):
        for result, paid in zip(each, pays, strict=True):
            assert result.estimate is not None
            assert result.estimate.plan is not None
            assert result.linearity is not None
            products = result.estimate.n_evaluations - result.linearity.n_evaluations
            before = products - 2 * result.estimate.n_samples
            assert before == (result.estimate.plan.n_evaluations if paid else 0)
    plans = [r.estimate.plan for r in shared if r.estimate]
    assert plans[0] == plans[1]


def test_forward_products_in_place_of_a_lattice_are_saved_and_shared(tmp_path: Path) -> None:
    sparse = {"undersampling": Random2D(acceleration=12, n_calibration=2), "reconstruction": ZeroFilled()}
    scan = Phantom(matrix=(32, 28), n_coils=1, n_slices=2)()
    experiment = _changed(variance=LatticeProbing(target=0.25), **sparse)
    first, second = (r for r in run(scan, experiment, slices=[0, 1]) if r.complete)
    assert first.estimate is not None
    assert second.estimate is not None
    assert first.estimate.plan is not None
    assert first.estimate.plan.lattice is None
    assert 12 <= first.estimate.plan.n_pilots < 12 + 6  # not the bundles of an expensive lattice
    assert second.estimate.plan == first.estimate.plan
    assert second.linearity is not None
    assert second.estimate.n_evaluations == first.estimate.plan.n_signs + second.linearity.n_evaluations
    assert torch.isnan(first.estimate.variance_magnitude[~first.object]).all()
    save_results([first, second], tmp_path / "out.h5")
    for result, loaded in zip((first, second), load_results(tmp_path / "out.h5"), strict=True):
        assert loaded.estimate is not None
        assert result.estimate is not None
        assert loaded.estimate.plan == result.estimate.plan
        assert loaded.estimate.channels.keys() == {"magnitude"}
    (row, _) = summary_table([first, second]).to_dict(orient="records")
    assert row["plan"] == first.estimate.plan.words
    assert row["95 % bound of map error [%]"] <= 25


def test_the_linearity_check_is_made_once_and_not_for_monte_carlo() -> None:
    cache = StageCache()
    methods = (Sketch(n_probes=2), Exact())
    sketch, exact = (_last(_changed(variance=method), SMALL, cache=cache) for method in methods)
    assert sketch.linearity == exact.linearity
    assert sketch.linearity is not None
    assert _last(_changed(variance=MonteCarlo(n_replicas=2)), SMALL, cache=cache).linearity is None


def test_a_map_that_is_not_linear_is_corrected() -> None:
    """Noise that is large for a network: the corrected map is nearer to what its replicas show."""
    loud = {"reconstruction": UNetSettings(n_channels=4, n_pools=2), "noise_scale": 40.0, "variance": Exact(batch=16)}
    corrected = _last(_changed(**loud, linearity=LinearityCheck(n_pairs=32)))
    plain = _last(_changed(**loud, linearity=LinearityCheck(correct=False)))
    replicas = _last(_changed(**loud | {"variance": MonteCarlo(n_replicas=400, batch=16)}))
    assert corrected.linearity is not None
    assert corrected.linearity.corrected
    errors = [comparison_of(result, replicas).nrmse for result in (corrected, plain)]
    assert errors[0] < 0.8 * errors[1]
    assert corrected.linearity.bias == pytest.approx(errors[1], rel=0.45)  # of a map that is rough


@pytest.fixture(scope="module")
def stages() -> StageCache:
    """What the reconstructions of one measured scan share: its samples, their noise and the coil maps."""
    return StageCache()


@pytest.mark.parametrize("kind", ["zero-filled", "cg-sense"])
@pytest.mark.parametrize("name", ["brain_flash_16ch", "brain_t1_7ch", "phantom_ge_8ch_7slices", "brain_poisson_8ch"])
def test_measured_scans(shared_data: Path, stages: StageCache, name: str, kind: str) -> None:
    """The sketch agrees with Monte Carlo on real k-space, with the noise found in the data."""
    scan = open_scan(shared_data / f"{name}.h5")
    experiment = Experiment.parse(
        {"reconstruction": {"kind": kind, **({"tikhonov": 0.1} if kind != "zero-filled" else {})}}
    )
    if name != "brain_poisson_8ch":
        experiment = experiment.model_copy(update={"undersampling": Equispaced(acceleration=3)})
    experiment = experiment.model_copy(update={"linearity": LinearityCheck(n_pairs=4)})  # of what is linear
    sketch = _last(experiment.model_copy(update={"variance": Sketch(n_probes=24)}), scan, 0, stages)
    replicas = _last(experiment.model_copy(update={"variance": MonteCarlo(n_replicas=24)}), scan, 0, stages)
    assert sketch.estimate is not None
    assert replicas.estimate is not None
    inside = sketch.object
    error = torch.hypot(
        sketch.estimate.channels["complex"].standard_error[inside],
        replicas.estimate.channels["complex"].standard_error[inside],
    )
    z = (sketch.estimate.channels["complex"].variance - replicas.estimate.channels["complex"].variance)[inside] / error
    # thousands of voxels; with 24 samples the estimated errors are themselves 20 % uncertain and correlated with z
    assert abs(float(z.mean())) < 0.25
    assert 0.7 < float(z.square().mean()) < 1.6
    share = float(inside.double().mean())
    assert 0.1 < share < 0.95
    assert np.isfinite(float(sketch.estimate.channels["complex"].variance[inside].sum()))


def test_the_operating_point_is_where_the_image_is() -> None:
    cache = StageCache()
    point = reconstruct(prepare(SCAN, EXPERIMENT, 0, cache), EXPERIMENT, cache)
    torch.testing.assert_close(point.reconstruct(point.kspace), point.image)


def test_an_image_that_is_not_finite_is_refused() -> None:
    """VarNet standardises each coil image, so that a coil without a signal gives 0 / 0."""
    silent = SCAN[0].kspace.clone()
    silent[2] = 0
    held = Slice(silent, SCAN[0].mask, noise_of_level(0.1, 4), SCAN[0].coil_maps)
    scan = Scan("silent", "test", ("slice 0",), 4, (32, 28), (-1,), None, "sha256:silent", lambda index: held)
    varnet = VarNetSettings(n_cascades=1, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1)
    with pytest.raises(ValueError, match="image of reconstruction 'varnet' holds NaN or Inf"):
        _last(_changed(reconstruction=varnet), scan, 0)
