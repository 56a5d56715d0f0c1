"""What lattice probing gains over Monte Carlo and over the published sketch in one case."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from estimator_cases import CHUNK, Case, seconds_per_evaluation, words

from mri_noise.operators.linop import LinearOperator
from mri_noise.variance.calibration import MARGIN_OF_MEASURED_ERRORS
from mri_noise.variance.estimate import Channel, VarianceEstimate
from mri_noise.variance.lattice.complex_lattice import ComplexLatticeProbing
from mri_noise.variance.lattice.density import density_of, error_density
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.lattice.planning import plan_with
from mri_noise.variance.lattice.search import lattice_score
from mri_noise.variance.linearise.point import OperatingPoint, exact_noise_jacobian, noise_jacobian
from mri_noise.variance.plan import Plan
from mri_noise.variance.rows import Rows, along_phase, covariance_rows, random_voxels

TARGETS = (0.05, 0.03, 0.02, 0.01)


@dataclass(frozen=True)
class Outcome:
    """A plan, the evaluations of its map, and the true NRMSE of the std map.

    Attributes
    ----------
    seconds
        That an evaluation of the map took, with all that was done for it, where the map was made.
    """

    plan: Plan
    of_map: int
    error: float
    seconds: float | None = None


@dataclass(frozen=True)
class ComplexRows:
    """Exact complex variances of some voxels, and their squared covariances with every other.

    Attributes
    ----------
    voxels : shape (voxels, 2)
    variance : shape (voxels,)
        C_ii.
    squares : shape (voxels, rows, columns)
        (|C_ij|^2 + |Gamma_ij|^2) / 4.
    replicas
        sum_i C_ii (1 + |Gamma_ii|^2 / C_ii^2) / (4 sum_i C_ii): Monte Carlo takes this over the squared NRMSE.
    """

    voxels: torch.Tensor
    variance: torch.Tensor
    squares: torch.Tensor
    replicas: float

    @classmethod
    def of(cls, point: OperatingPoint, n_voxels: int) -> "ComplexRows":
        """Two rows of each of some random voxels, along the phase of the image and across it."""
        operator = exact_noise_jacobian(point, chunk=CHUNK)
        voxels = random_voxels(point.object, n_voxels, torch.Generator().manual_seed(1000))
        straight, turned = (
            along_phase(operator, point.image, voxels, chunk=CHUNK, turned=t).to(torch.complex128)
            for t in (False, True)
        )
        each = torch.arange(len(voxels)), voxels[:, 0], voxels[:, 1]
        variance, pseudo = (straight - 1j * turned)[each].real / 2, (straight + 1j * turned)[each].abs() / 2
        replicas = float((variance + pseudo.square() / variance).sum() / (4 * variance.sum()))
        return cls(voxels, variance, (straight.abs().square() + turned.abs().square()) / 8, replicas)


def reference_rows(point: OperatingPoint, *, seconds: float, most: int, chunk: int = CHUNK) -> Rows:
    """Exact rows of random voxels: at least 32, and more as long as there is time."""
    operator = exact_noise_jacobian(point, chunk=chunk)
    voxels = random_voxels(point.object, most, torch.Generator().manual_seed(1000))
    start, parts = time.perf_counter(), []
    for part in torch.split(voxels, max(8, chunk)):
        parts.append(covariance_rows(operator, point.image, part, chunk=chunk))
        if sum(len(rows.voxels) for rows in parts) >= 32 and time.perf_counter() - start > seconds:
            break
    return Rows(torch.cat([rows.voxels for rows in parts]), torch.cat([rows.covariance for rows in parts]))


def outcome(
    method: LatticeProbing, point: OperatingPoint, operator: LinearOperator, truth: Rows, *, chunk: int = CHUNK
) -> Outcome:
    """Plan; the error is that over all signs, by exact rows, or that of a map that was made.

    That is where kernels overlap, and where control variates are fitted to the samples.
    """
    generator = torch.Generator().manual_seed(7)
    if point.image_domain is not None:
        *_, last = method(point, generator)
        assert last.plan is not None
        if last.plan.reach is not None:
            return _made(last, truth.voxels, truth.variance, "magnitude")
    plan = plan_with(operator, method.task, point, generator, chunk=chunk)
    of_map = plan.evaluations_per_product * plan.n_products
    if plan.lattice is not None:
        density = error_density(truth, point.object)
        return Outcome(plan, of_map, (lattice_score(density, plan.lattice) / plan.n_signs) ** 0.5)
    if point.controls is None:
        return Outcome(plan, of_map, plan.nrmse)
    start = time.perf_counter()
    *_, last = method(point, generator, plan)
    return _made(last, truth.voxels, truth.variance, "magnitude", elapsed=time.perf_counter() - start)


def complex_outcome(
    method: ComplexLatticeProbing, point: OperatingPoint, operator: LinearOperator, truth: ComplexRows
) -> Outcome:
    """The same for the complex std map; probes are as many as the exact error, in place of the measured one, takes."""
    generator = torch.Generator().manual_seed(7)
    if point.image_domain is not None:
        *_, last = method(point, generator)
        assert last.plan is not None
        if last.plan.reach is not None:
            return _made(last, truth.voxels, truth.variance, "complex")
    plan = plan_with(operator, method.task, point, generator, chunk=CHUNK)
    if plan.lattice is not None:
        density = density_of(truth.voxels, truth.squares, truth.variance, point.object)
        score = lattice_score(density, plan.lattice)
        n_probed, squared = probed_colours(plan.lattice.index, score, (method.target / MARGIN_OF_MEASURED_ERRORS) ** 2)
        return Outcome(plan, 4 * n_probed, squared**0.5)
    if point.controls is None:
        n_forward = ceil(truth.replicas * (plan.upper_bound / plan.nrmse / method.target) ** 2)
        return Outcome(plan, n_forward, (truth.replicas / n_forward) ** 0.5)
    start = time.perf_counter()
    *_, last = method(point, generator, plan)
    return _made(last, truth.voxels, truth.variance, "complex", elapsed=time.perf_counter() - start)


def _made(
    last: VarianceEstimate, voxels: torch.Tensor, exact: torch.Tensor, channel: Channel, *, elapsed: float | None = None
) -> Outcome:
    """What came of a map, against the exact variances of some voxels; plans of other runs cost nothing."""
    assert last.plan is not None
    of_map = last.n_evaluations - (last.plan.n_evaluations if elapsed is None else 0)
    found = last.channels[channel][0][voxels[:, 0], voxels[:, 1]].sqrt()
    error = float((found - exact.sqrt()).norm() / exact.sqrt().norm())
    return Outcome(last.plan, of_map, error, None if elapsed is None else elapsed / of_map)


def probed_colours(n_colours: int, score: float, allowed: float) -> tuple[int, float]:
    """How often a colour is probed with a pair until the squared error is as small as allowed, and that error.

    One pair of each colour has the score; k pairs of some and k + 1 of the others their mean of score / k and
    score / (k + 1).
    """
    k = max(int(score / allowed), 1)
    share = max((1 / k - allowed / score) * k * (k + 1), 0.0)
    n_more = ceil(share * n_colours - 1e-9)
    return k * n_colours + n_more, score * (1 / k - n_more / n_colours / (k * (k + 1)))


def magnitude_rows(case: Case, *, quick: bool) -> Iterator[dict[str, str | float]]:
    """One row for each target: the std of the magnitude, for which Monte Carlo takes 1 / (2 NRMSE^2) replicas."""
    point = case.point()
    operator = noise_jacobian(point, chunk=CHUNK)
    truth = reference_rows(point, seconds=6 if quick else 12, most=96)
    seconds = seconds_per_evaluation(operator, point, repeats=2 if quick else 3)
    for target in TARGETS:
        method = LatticeProbing(target=target, max_evaluations=6000, shrink=False)
        found = outcome(method, point, operator, truth)
        yield _row(case, target, found, seconds, n_reference=len(truth.voxels), replicas=0.5)


def complex_rows(case: Case, *, quick: bool) -> Iterator[dict[str, str | float]]:
    """One row for each target: the std of the complex image."""
    point = case.point()
    operator = noise_jacobian(point, chunk=CHUNK)
    truth = ComplexRows.of(point, 16 if quick else 32)
    seconds = seconds_per_evaluation(operator, point, repeats=2 if quick else 3)
    for target in TARGETS:
        method = ComplexLatticeProbing(target=target, max_evaluations=6000)
        found = complex_outcome(method, point, operator, truth)
        yield _row(case, target, found, seconds, n_reference=len(truth.voxels), replicas=truth.replicas)


def _row(
    case: Case, target: float, found: Outcome, seconds: dict[str, float], *, n_reference: int, replicas: float
) -> dict[str, str | float]:
    """``replicas`` over the squared NRMSE is what Monte Carlo takes."""
    spent = found.plan.n_evaluations + found.of_map
    needed = replicas / target**2
    probe = seconds["probe" if found.plan.reach is None else "adjoint"]
    took = found.plan.n_evaluations * probe + found.of_map * (found.seconds or probe)
    return {
        "scan": case.scan.removesuffix(".h5"),
        "model": case.model,
        "mask": case.mask,
        "R": case.acceleration,
        "target [%]": 100 * target,
        "plan": words(found.plan),
        "evaluations": spent,
        "of pilots": found.plan.n_evaluations,
        "predicted [%]": 100 * found.plan.nrmse,
        "true [%]": 100 * found.error,
        "reference voxels": n_reference,
        "gain, evaluations": needed / spent,
        "without pilots": needed / found.of_map,
        "at the error reached": replicas / (found.error**2 * spent),
        "gain, seconds": needed * seconds["replica"] / took,
        "gain over published, seconds": needed * seconds["published"] / took,
    }
