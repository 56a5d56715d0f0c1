"""A training as Lightning sees it: a few examples at a time, one step of the optimiser for each batch of them."""

import math
from dataclasses import asdict
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from mri_noise.recon.reconstruction import NetworkSettings
from mri_noise.recon.reconstructor import Reconstructor
from mri_noise.training.example import Example
from mri_noise.training.loop.metrics import quality
from mri_noise.training.recipe import Recipe

RECIPE = "recipe"
"""Name of the recipe in a checkpoint."""
N_PROCESSES = "n_processes"
"""Name of the number of processes in a checkpoint."""
_SUMS = "sums"
_BEGAN_WITH = "began_with"


class Training(LightningModule):
    """The network of a recipe and its objective, whose value is added up until the next entry of the log.

    The gradient of a step is the mean over the examples of its batch.

    Attributes
    ----------
    began_with
        Where the initial weights are from, for the provenance of the trained ones; None if they were random.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = _trainable(recipe.network)
        self.began_with: dict[str, Any] | None = None
        self._sums: dict[str, Tensor] = {}

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimiser, schedule = self.recipe.optimiser(self.network.parameters(), self.recipe.trainer.n_steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: list[Example], index: int) -> Tensor:
        progress = self.global_step / self.recipe.trainer.n_steps
        values = self.recipe.objective.of_each(self.network, batch, progress)
        for value in values:
            for name, part in (("loss", value.total), *((f"loss/{name}", part) for name, part in value.parts)):
                one_more = torch.stack([part.detach(), torch.ones_like(part)])
                self._sums[name] = self._sums[name] + one_more if name in self._sums else one_more
        return torch.stack([value.total for value in values]).mean()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Limit the gradient, which all processes share by now.

        Raises
        ------
        ValueError
            If it is not finite: the weights would be lost.
        """
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val or math.inf)
        if not torch.isfinite(norm):
            raise ValueError(
                f"the training was stopped because the gradient is not finite in step {self.global_step + 1}; its "
                "checkpoints were kept; train anew with a lower optimiser.learning_rate or trainer.clip_norm"
            )

    def take_losses(self) -> dict[str, float]:
        """Return the mean of the objective since the last call, and of its parts; all processes have to call it.

        The parts are those of this process alone, since others may have met none of them.
        """
        sums, self._sums = self._sums, {}
        sums["loss"] = self.trainer.strategy.reduce(sums["loss"], reduce_op="sum")
        return {name: float(total / n) for name, (total, n) in sums.items()}

    def validation_step(self, example: Example, index: int) -> None:
        values = validated(self.network, example)
        self.log_dict(values, on_epoch=True, sync_dist=True, batch_size=1, logger=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[RECIPE] = self.recipe.model_dump(mode="json")
        checkpoint[N_PROCESSES] = self.trainer.world_size
        checkpoint[_SUMS] = self._sums
        checkpoint[_BEGAN_WITH] = self.began_with

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._sums = {name: value.to(self.device) for name, value in checkpoint[_SUMS].items()}
        self.began_with = checkpoint.get(_BEGAN_WITH)  # which trainings of before had not


def validated(network: Reconstructor, example: Example) -> dict[str, float]:
    """Reconstruct a labelled example, and return each metric of its image where there are coil maps."""
    assert example.target is not None
    image = network(example.kspace, example.encoding)
    return asdict(quality(image, example.target, example.coil_maps.abs().sum(0) > 0))


def _trainable(settings: NetworkSettings) -> nn.Module:
    network = settings()
    if not isinstance(network, nn.Module) or not any(each.requires_grad for each in network.parameters()):
        raise ValueError(f"the network '{settings.label}' has no parameters to train; choose another one")
    return network
