"""What one run says of one slice."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from platform import python_version

import torch

from mri_noise.acquisition.noise import Noise
from mri_noise.acquisition.scan import Scan
from mri_noise.arrays import CoilMaps, Image, Mask, RealMap
from mri_noise.choices import absences, providers
from mri_noise.experiment import Experiment
from mri_noise.variance.check.linearity import Linearity
from mri_noise.variance.estimate import VarianceEstimate
from mri_noise.variance.readout import RegionNoise


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result comes from.

    Attributes
    ----------
    scan, layout, fingerprint
        Name, file format and hash of the data.
    label
        Which slice.
    voxel_size
        (slice, row, column) [mm]; None where the file does not say.
    versions
        (package, version) of what the numbers depend on.
    device
        What it ran on.
    n_threads
        On the CPU; the order of its sums depends on it.
    started
        UTC, ISO 8601.
    seconds, peak_memory
        Cost of the variance alone, [s] and [bytes].
    remarks
        What was taken otherwise than the file says, and what is to be said against the coil maps.
    measurement
        Which of several in the file; empty where there was no choice.
    providers
        (kind, distribution, version) of every choice of the experiment that another distribution brought.
    """

    scan: str
    layout: str
    fingerprint: str
    label: str
    voxel_size: tuple[float, float, float] | None
    versions: tuple[tuple[str, str], ...]
    device: str
    n_threads: int
    started: str
    seconds: float
    peak_memory: int
    remarks: tuple[str, ...] = ()
    measurement: str = ""
    providers: tuple[tuple[str, str, str], ...] = ()


def provenance_of(
    scan: Scan, index: int, experiment: Experiment, device: torch.device, remarks: tuple[str, ...]
) -> Provenance:
    """Where the result of a slice comes from, before its variance has taken any time."""
    packages = ("napari-mri-noise", "torch", "numpy", "scipy", "sigpy")
    return Provenance(
        scan=scan.name,
        layout=scan.layout,
        fingerprint=scan.fingerprint,
        label=scan.labels[index],
        voxel_size=scan.voxel_size,
        versions=(("python", python_version()), *((name, version(name)) for name in packages)),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        n_threads=torch.get_num_threads(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        peak_memory=0,
        remarks=remarks,
        measurement=scan.measurement if len(scan.measurements) > 1 else "",
        providers=providers(experiment),
    )


@dataclass(frozen=True, slots=True)
class RoiReadout:
    """A named region and the noise of its mean."""

    name: str
    noise: RegionNoise


@dataclass(frozen=True, slots=True)
class Result:
    """A snapshot of one slice: its image, and the variance as far as it has come.

    Attributes
    ----------
    index
        Slice of the scan.
    image : shape (rows, columns), complex, in the data's units
    zero_filled : shape (rows, columns), complex
        The zero-filled image of the same data.
    estimate
        None until the first samples are in.
    mask : shape (rows, columns)
        Sampled points of the k-space that was reconstructed.
    coil_maps : shape (coils, rows, columns)
    noise
        Noise of the k-space that was reconstructed: after prewhitening, scaling and addition.
    full_variance : shape (rows, columns), double precision
        Complex noise variance of the optimal combination of fully sampled data, which the g-factor compares with.
    object : shape (rows, columns)
    linearity
        Whether the linearised variance holds; None before it is known, and for Monte Carlo, which linearises nothing.
    rois
        Exact read-outs of the experiment's regions; empty until the variance is complete.
    unexplained
        Share of the low-resolution coil images that the coil maps do not explain; None if that could not be asked.
    """

    index: int
    image: Image
    zero_filled: Image
    estimate: VarianceEstimate | None
    mask: Mask
    coil_maps: CoilMaps
    noise: Noise
    full_variance: RealMap
    object: Mask
    linearity: Linearity | None
    rois: tuple[RoiReadout, ...]
    unexplained: float | None
    experiment: Experiment
    provenance: Provenance

    @property
    def missing(self) -> str:
        """What of its experiment is not installed here, in one sentence; empty if all is."""
        return absences(self.experiment, self.provenance.providers)

    @property
    def complete(self) -> bool:
        """Whether the variance is final."""
        return self.estimate is not None and self.estimate.complete
