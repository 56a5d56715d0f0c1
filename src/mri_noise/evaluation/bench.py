"""What every method of a case is given, and how its image is scored."""

from dataclasses import dataclass

import torch

from mri_noise.acquisition.masks import AsAcquired
from mri_noise.arrays import Image, Mask
from mri_noise.evaluation.cases import Case
from mri_noise.experiment import Experiment
from mri_noise.pipeline import Prepared, StageCache, prepare, reconstruct
from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.training.loop.metrics import Quality, quality


@dataclass(frozen=True, slots=True)
class Bench:
    """One case, prepared.

    Every method is scored alike: the magnitude of its image against that of the fully sampled slice, prewhitened as
    the experiment does and combined with coil maps of its full calibration, with the noise that it was measured with.
    No scale is fitted, since an image in the data's units is what a reconstruction is to give. Voxels count in the
    reference's object where the undersampled calibration finds coil maps; a method that finds its own is not scored
    elsewhere, where the others have no image. Images are set to zero outside before structural similarities are taken.

    Attributes
    ----------
    experiment
        With the case's mask.
    reference : shape (rows, columns)
        None if the scan itself is undersampled.
    region : shape (rows, columns)
        Where the image is scored.
    """

    case: Case
    experiment: Experiment
    prepared: Prepared
    reference: Image | None
    region: Mask
    cache: StageCache

    def with_reconstruction(self, choice: Reconstruction) -> Experiment:
        """The case's experiment with another reconstruction."""
        return self.experiment.model_copy(update={"reconstruction": choice})

    def image(self, choice: Reconstruction) -> Image:
        """Reconstruct, shape (rows, columns)."""
        return reconstruct(self.prepared, self.with_reconstruction(choice), self.cache).image.cpu()

    def quality(self, image: Image) -> Quality | None:
        """Score an image; None if there is no reference."""
        if self.reference is None:
            return None
        target = self.reference.to(torch.complex128) * self.region
        return quality(image.to(torch.complex128) * self.region, target, self.region)


def set_up(case: Case, experiment: Experiment, cache: StageCache) -> Bench:
    """Undersample the case's slice and find its coil maps.

    Raises
    ------
    ValueError
        If the mask does not suit the slice, or the slice is undersampled already and another mask is asked for.
    """
    fully = prepare(case.scan, experiment.model_copy(update={"undersampling": AsAcquired()}), case.index, cache)
    is_full = bool(fully.encoding.mask.all())
    if not is_full and case.kind != "as-acquired":
        raise ValueError(
            f"'{case.scan.name}' is undersampled as acquired, so that there is no image to compare with; "
            "evaluate its noise with --masks as-acquired"
        )
    chosen = experiment.model_copy(update={"undersampling": case.undersampling()})
    prepared = prepare(case.scan, chosen, case.index, cache)
    return Bench(
        case=case,
        experiment=chosen,
        prepared=prepared,
        reference=fully.combined.cpu() if is_full else None,
        region=experiment.object(fully.combined, prepared.encoding.coil_maps).cpu(),
        cache=cache,
    )
