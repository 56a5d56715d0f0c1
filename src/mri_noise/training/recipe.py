"""Every choice of one training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from mri_noise.choices import Untrusted, code_in, trusting
from mri_noise.recon.reconstruction import NetworkSettings
from mri_noise.settings import Origin, Settings, override, read_yaml
from mri_noise.training.data.sources import Data
from mri_noise.training.initial import Initial
from mri_noise.training.objectives.choices import Objective
from mri_noise.training.objectives.supervised import Supervised

Share = Annotated[float, Field(ge=0, lt=1)]


class AdamSettings(Settings):
    """Adam with decoupled weight decay; its learning rate rises linearly, then falls along a cosine.

    Source: Loshchilov 2019, doi:10.48550/arXiv.1711.05101.
    """

    learning_rate: float = Field(1e-3, gt=0, description="Highest learning rate, after the warm-up")
    n_warmup: int = Field(0, ge=0, description="Steps over which the learning rate rises")
    final_fraction: float = Field(0.01, ge=0, le=1, description="Share of the learning rate that is left at the end")
    weight_decay: float = Field(0.0, ge=0, description="Shrinking of the weights a step, in learning rates")
    betas: tuple[Share, Share] = Field((0.9, 0.999), description="Decay of the means of the gradient and its square")

    def __call__(self, parameters: Iterable[nn.Parameter], n_steps: int) -> tuple[Optimizer, LRScheduler]:
        """Return the optimiser of some parameters, and the schedule of its learning rate."""
        optimiser = AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay, betas=self.betas)
        n_falling = max(n_steps - self.n_warmup, 1)
        falling = CosineAnnealingLR(optimiser, n_falling, eta_min=self.learning_rate * self.final_fraction)
        if self.n_warmup == 0:
            return optimiser, falling
        rising = LinearLR(optimiser, start_factor=1 / (self.n_warmup + 1), total_iters=self.n_warmup)
        return optimiser, SequentialLR(optimiser, [rising, falling], milestones=[self.n_warmup])


class TrainerSettings(Settings):
    """How long a training goes on, and what it writes meanwhile; all intervals are in steps of the optimiser."""

    n_steps: int = Field(20_000, ge=1, description="Steps of the optimiser")
    batch_size: int = Field(1, ge=1, description="Examples of one step, over all processes")
    n_together: int = Field(
        1, ge=1, description="Examples that a process computes at once, where they are of one matrix; for a GPU"
    )
    clip_norm: float | None = Field(1.0, gt=0, description="Largest norm of the gradient; none: no limit")
    precision: Literal["32-true", "bf16-mixed"] = Field("32-true", description="Arithmetic of the network")
    log_interval: int = Field(50, ge=1, description="Steps between two entries of the log")
    checkpoint_interval: int = Field(500, ge=1, description="Steps between two checkpoints")
    validation_interval: int = Field(500, ge=1, description="Steps between two validations")
    panel_interval: int = Field(1, ge=0, description="Validations between two image panels; 0: none")
    monitor: Literal["psnr", "ssim", "nrmse"] = Field("ssim", description="What the best weights are best in")
    patience: int | None = Field(None, ge=1, description="Validations without progress that end it; none: never")


class Machine(Settings):
    """What a training runs on."""

    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="auto: a GPU where there is one")
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(1, description="Devices of each node; auto: all")
    n_nodes: int = Field(1, ge=1, description="Computers that take part")
    strategy: Literal["auto", "ddp"] = Field("auto", description="How several devices work together")
    n_workers: int = Field(0, ge=0, description="Processes that prepare examples; 0: the training's own")


class Recipe(Settings):
    """Everything that a training depends on; the same recipe gives the same weights.

    What it runs on may change between the parts of an interrupted training.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="Name of the weights' file, without its ending")
    network: NetworkSettings = Field(description="What is trained")
    initial: Initial | None = Field(None, description="Trained weights to begin with; none: random ones")
    objective: Objective = Field(Supervised(), description="What is minimised")
    data: Data = Field(Data(), description="What it is trained and validated on")
    optimiser: AdamSettings = Field(AdamSettings(), description="How the weights follow the gradient")
    trainer: TrainerSettings = Field(TrainerSettings(), description="How long, and what is written meanwhile")
    machine: Machine = Field(Machine(), description="What it runs on")
    seed: int = Field(0, ge=0, description="Seed of every random number but the initial weights")


def read_recipe(path: Path, assignments: Sequence[str], *, trust_code: bool = False) -> Recipe:
    """Read a recipe from a YAML file, and apply assignments such as ``trainer.n_steps=2000``.

    Raises
    ------
    Untrusted
        If the file names Python code that makes the network, and nobody agreed to run it.
    SettingsError
        If the file cannot be read, or a setting does not exist or does not fit.
    """
    recipe = override(Recipe.parse(read_yaml(path), Origin(is_file=True)), assignments)
    if trust_code:
        return trusting(recipe)
    if code_in(recipe):
        raise Untrusted(*code_in(recipe))
    return recipe
