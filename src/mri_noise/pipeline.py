"""The one path from a scan to a result; the GUI, the command line and Python all take it."""

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

import torch

from mri_noise.acquisition.coils import calibrated, doubts
from mri_noise.acquisition.noise import Noise, NoiseShaping, white_probes
from mri_noise.acquisition.scan import Scan, Slice, prewhitened, shown_centre
from mri_noise.arrays import Image, KSpace, Mask
from mri_noise.experiment import Experiment
from mri_noise.machine.halving import halving
from mri_noise.machine.measure import Meter
from mri_noise.operators.cartesian import Sense
from mri_noise.recon.linear import ZeroFilled
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.result import Result, RoiReadout, provenance_of
from mri_noise.seeds import generator_of
from mri_noise.variance.check.excess import Excess
from mri_noise.variance.check.first_look import first_look
from mri_noise.variance.check.pairs import Pairs
from mri_noise.variance.check.whole import Whole
from mri_noise.variance.closed_form import fully_sampled_variance
from mri_noise.variance.estimate import ChannelVariance, VarianceEstimate
from mri_noise.variance.linearise.point import OperatingPoint, batch_size, exact_noise_jacobian, operating_point
from mri_noise.variance.method import VarianceMethod
from mri_noise.variance.plan import Plan
from mri_noise.variance.readout import region_noise

T = TypeVar("T")

_ADDED_NOISE, _VARIANCE, _LINEARITY = 0, 1, 2
_UPSTREAM_OF_MAPS = {
    "undersampling", "noise", "noise_scale", "added_noise", "prewhiten", "coils", "precision", "device",
}  # fmt: skip
_UPSTREAM_OF_LINEARITY = _UPSTREAM_OF_MAPS | {"reconstruction", "object", "linearity", "tangents", "seed"}


class StageCache:
    """Keeps the latest intermediate results, each under the settings that it depends on."""

    def __init__(self, n_entries: int = 12) -> None:
        self._n_entries = n_entries
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is stored under the key, or make it."""
        if key not in self._entries:
            self._entries[key] = make()
            while len(self._entries) > self._n_entries:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return cast(T, self._entries[key])


@dataclass(frozen=True, slots=True)
class Prepared:
    """One slice, ready to be reconstructed.

    Attributes
    ----------
    index
        Of the slice.
    kspace : shape (coils, rows, columns)
    noise
        Of ``kspace``.
    encoding
        Of ``kspace``: coil maps and mask.
    combined : shape (rows, columns)
        Coil combination of all that was acquired, before undersampling: what the object is found in.
    unexplained
        Share of the low-resolution coil images that the coil maps do not explain; None if that could not be asked.
    remarks
        What was taken otherwise than the file says, and what is to be said against the coil maps.
    """

    index: int
    kspace: KSpace
    noise: Noise
    encoding: Sense
    combined: Image
    unexplained: float | None
    remarks: tuple[str, ...]


def run(
    scan: Scan, experiment: Experiment, *, slices: Sequence[int] = (0,), cache: StageCache | None = None
) -> Iterator[Result]:
    """Reconstruct slices of a scan and map the noise variance of the images.

    Yields snapshots: for each slice the image as soon as it is there, then the variance as it refines; the last
    snapshot of a slice is ``complete``. Closing the iterator stops the work. Where memory runs out the check of
    linearity or the variance starts again with half the batch, and the experiment of the result says which.

    Raises
    ------
    ValueError
        One sentence, for data or settings that do not fit together.
    MemoryError, RuntimeError
        If memory runs out even for a batch of one.
    """
    stages = StageCache() if cache is None else cache
    former: Result | None = None
    for index in slices:
        plan = None
        if former is not None:
            plan = shared_plan(former, prepare(scan, experiment, index, stages).encoding.mask)
        for former in run_slice(scan, experiment, index, plan, cache=stages):
            yield former


def shared_plan(former: Result, mask: Mask) -> Plan | None:
    """What a slice lends to another one with this sampling mask: its plan, if it should and was sampled alike."""
    if former.estimate is None or not former.experiment.variance.shares_plan:
        return None
    return former.estimate.plan if torch.equal(former.mask, mask.cpu()) else None


def choose_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu`` or ``cuda`` into a device.

    From then on convolutions on a GPU keep single precision in this process. TF32, torch's default for them, keeps 10
    bits of each number: noise of a thousandth of the signal would drown in its rounding.

    Raises
    ------
    ValueError
        If CUDA is asked for and absent.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no CUDA GPU here; set device to auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda")


def prepare(scan: Scan, experiment: Experiment, index: int, cache: StageCache) -> Prepared:
    """Read a slice, undersample and prewhiten it, add noise where asked for, and find its coil maps."""
    drawn = {"seed"} if experiment.added_noise > 0 else set()
    upstream = experiment.model_dump_json(include=_UPSTREAM_OF_MAPS | drawn)
    return cache.get(("prepared", scan.fingerprint, index, upstream), lambda: _prepare(scan, experiment, index, cache))


def reconstruct(prepared: Prepared, experiment: Experiment, cache: StageCache) -> OperatingPoint:
    """Reconstruct a prepared slice, and return where its reconstruction is to be linearised.

    Raises
    ------
    ValueError
        If there is no object, or the image is not finite.
    """
    reconstructor = _reconstructor(experiment, prepared.kspace, cache)
    region = experiment.object(prepared.combined, prepared.encoding.coil_maps)
    point = operating_point(
        reconstructor,
        prepared.kspace,
        prepared.encoding,
        prepared.noise,
        region,
        tangents=experiment.tangents,
        draws=experiment.linearity.averaged(_noise_of_pairs(experiment, prepared.index)),
    )
    if not bool(torch.isfinite(torch.view_as_real(point.image)).all()):
        raise ValueError(
            f"the image of reconstruction '{experiment.reconstruction.kind}' holds NaN or Inf; "
            "its weights are unsound, or it cannot do without signal in each coil"
        )
    return point


def run_slice(
    scan: Scan, experiment: Experiment, index: int, plan: Plan | None = None, *, cache: StageCache | None = None
) -> Iterator[Result]:
    """Reconstruct one slice and map its noise; it depends on nothing but what is passed.

    Yields snapshots, as :func:`run` does; the cache saves time and changes no number.

    Parameters
    ----------
    plan
        Of another slice (:func:`shared_plan`), for methods that plan: it saves their pilots.

    Raises
    ------
    ValueError
        One sentence, for data or settings that do not fit together.
    MemoryError, RuntimeError
        If memory runs out even for a batch of one.
    """
    stages = StageCache() if cache is None else cache
    prepared = prepare(scan, experiment, index, stages)
    point = reconstruct(prepared, experiment, stages)
    refused = experiment.variance.supports(point)
    if refused is not None:
        raise ValueError(refused)
    encoding = prepared.encoding
    coil_maps = encoding.coil_maps.cpu()
    snapshot = Result(
        index=index,
        image=point.image.cpu(),
        zero_filled=ZeroFilled()()(prepared.kspace, encoding).cpu(),
        estimate=None,
        mask=encoding.mask.cpu(),
        coil_maps=coil_maps,
        noise=prepared.noise,
        full_variance=fully_sampled_variance(coil_maps, prepared.noise),
        object=point.object.cpu(),
        linearity=None,
        rois=(),
        unexplained=prepared.unexplained,
        experiment=experiment,
        provenance=provenance_of(scan, index, experiment, prepared.kspace.device, prepared.remarks),
    )
    yield snapshot
    pairs, meter = None, Meter(point.kspace.device)
    if experiment.variance.linearises:
        compared = _as_memory_allows(
            snapshot, "linearity", point, lambda now: _compare(scan, now, point, stages, meter)
        )
        snapshot, pairs = next(iter(compared))
        yield snapshot
    yield from _as_memory_allows(snapshot, "variance", point, lambda now: _map_noise(now, point, pairs, plan, meter))


def _as_memory_allows(
    snapshot: Result,
    stage: Literal["linearity", "variance"],
    point: OperatingPoint,
    compute: Callable[[Result], Iterator[T]],
) -> Iterator[T]:
    """Compute a stage, its batch halved where memory runs out; the experiment of the result then gives it again."""
    chosen = getattr(snapshot.experiment, stage)
    if "batch" not in type(chosen).model_fields:
        return compute(snapshot)

    def with_batch(batch: int | None) -> Iterator[T]:
        halved: dict[str, Any] = {stage: chosen if batch is None else chosen.model_copy(update={"batch": batch})}
        yield from compute(replace(snapshot, experiment=snapshot.experiment.model_copy(update=halved)))

    return halving(with_batch, lambda batch: batch_size(batch or chosen.batch, point))


def _noise_of_pairs(experiment: Experiment, index: int) -> torch.Generator:
    """Draws the noise that a slice is linearised over, and then what that is compared with."""
    return generator_of(experiment.seed, index, _LINEARITY)


def _compare(
    scan: Scan, snapshot: Result, point: OperatingPoint, cache: StageCache, meter: Meter
) -> Iterator[tuple[Result, Pairs]]:
    """Linearise, and compare what that makes of noise with what the reconstruction does: a first look at the noise."""
    experiment = snapshot.experiment
    upstream = experiment.model_dump_json(include=_UPSTREAM_OF_LINEARITY)
    with meter:
        point.record(chunk=batch_size(experiment.linearity.batch, point))
        generator = _noise_of_pairs(experiment, snapshot.index)
        pairs = cache.get(
            ("pairs", scan.fingerprint, snapshot.index, upstream), lambda: experiment.linearity(point, generator)
        )
    yield replace(snapshot, estimate=_on_host(first_look(pairs))), pairs


def _map_noise(
    snapshot: Result, point: OperatingPoint, pairs: Pairs | None, plan: Plan | None, meter: Meter
) -> Iterator[Result]:
    """Refine the variance, measuring what that takes, and add what pairs say of it."""
    experiment = snapshot.experiment
    generator = generator_of(experiment.seed, snapshot.index, _VARIANCE)
    generator_of_pairs = _noise_of_pairs(experiment, snapshot.index)
    whole = None if pairs is None else Whole(experiment.linearity, point, generator_of_pairs, Excess(pairs))
    excess = None if whole is None or not experiment.linearity.correct else whole.excess
    with closing(_estimates(experiment.variance, point, generator, plan, excess)) as estimates:
        while True:
            with meter:
                estimate = next(estimates, None)
                if estimate is not None and whole is not None:
                    whole, estimate = whole.of(estimate)
            if estimate is None:
                return
            cost = meter.cost
            yield replace(
                snapshot,
                estimate=_on_host(estimate),
                linearity=None if whole is None else whole.linearity,
                rois=_read_rois(experiment, point) if estimate.complete else (),
                provenance=replace(snapshot.provenance, seconds=cost.seconds, peak_memory=cost.peak_memory),
            )


def _estimates(
    method: VarianceMethod, point: OperatingPoint, generator: torch.Generator, plan: Plan | None, excess: Excess | None
) -> Generator[VarianceEstimate, None, None]:
    """Start the method with the first snapshot that is asked for, so that its set-up is measured with it."""
    yield from method.beside(point, generator, plan, excess)


def _on_host(estimate: VarianceEstimate) -> VarianceEstimate:
    return replace(
        estimate,
        channels={name: ChannelVariance(*(each.cpu() for each in pair)) for name, pair in estimate.channels.items()},
        prior_weight=None if estimate.prior_weight is None else estimate.prior_weight.cpu(),
        quick_look=None if estimate.quick_look is None else estimate.quick_look.cpu(),
    )


def _prepare(scan: Scan, experiment: Experiment, index: int, cache: StageCache) -> Prepared:
    acquired = cache.get(("acquired", scan.fingerprint, index), lambda: scan[index])
    data, noise = _whitened(acquired, experiment)
    target = {"device": choose_device(experiment.device), "dtype": getattr(torch, experiment.precision)}
    mask = acquired.mask & experiment.undersampling(scan.matrix, scan.phase_encode_axes)
    kspace = data.kspace * mask
    if experiment.added_noise > 0:
        kspace = kspace + _added_noise(experiment, noise, mask, kspace, index)
    level = experiment.noise_scale**2 + experiment.added_noise**2
    of_data = noise.scaled(1 + experiment.added_noise**2)
    maps, unexplained = calibrated(experiment.coils, *shown_centre(data, kspace, mask), data.coil_maps, of_data)
    maps = maps.to(**target)
    encoding = Sense(maps, mask.to(target["device"]))
    everything = Sense(maps, acquired.mask.to(target["device"]))
    return Prepared(
        index=index,
        kspace=kspace.to(**target),
        noise=noise.scaled(level),
        encoding=encoding,
        combined=everything.adjoint(data.kspace.to(**target)),
        unexplained=unexplained,
        remarks=(*acquired.remarks, *doubts(unexplained)),
    )


def _whitened(acquired: Slice, experiment: Experiment) -> tuple[Slice, Noise]:
    """The slice in the coil basis that is reconstructed, and its noise."""
    noise = experiment.noise(acquired.kspace, acquired.mask, acquired.noise)
    return prewhitened(acquired, noise) if experiment.prewhiten else (acquired, noise)


def _added_noise(experiment: Experiment, noise: Noise, mask: Mask, like: KSpace, index: int) -> KSpace:
    """Noise of the scan's covariance, ``added_noise`` times its level."""
    noise_shaping = NoiseShaping.of(noise, mask, like.dtype)
    generator = generator_of(experiment.seed, index, _ADDED_NOISE)
    probe = next(white_probes(1, noise_shaping.in_shape, generator, like, draw="gaussian", chunk=1))[0]
    return experiment.added_noise * noise_shaping(probe)


def _reconstructor(experiment: Experiment, like: KSpace, cache: StageCache) -> Reconstructor:
    """The reconstruction, its weights (if it has any) on the data's device and in their precision."""

    def make() -> Reconstructor:
        reconstructor = experiment.reconstruction()
        if isinstance(reconstructor, torch.nn.Module):
            reconstructor = reconstructor.to(like.device, like.real.dtype).eval().requires_grad_(False)
        return reconstructor

    return cache.get(("reconstructor", experiment.reconstruction, like.device, like.dtype), make)


def _read_rois(experiment: Experiment, point: OperatingPoint) -> tuple[RoiReadout, ...]:
    """Exact read-outs of the experiment's regions."""
    if not experiment.rois:
        return ()
    operator = exact_noise_jacobian(point, chunk=1)
    shape = (point.image.shape[0], point.image.shape[1])
    regions = [(roi.name, roi(shape).to(point.image.device)) for roi in experiment.rois]
    return tuple(RoiReadout(name, region_noise(operator, point.image, region)) for name, region in regions)
