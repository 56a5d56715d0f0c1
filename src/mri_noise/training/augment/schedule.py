"""A curriculum: how strong an augmentation is as the training goes on."""

from pydantic import Field, model_validator

from mri_noise.settings import Settings


class Schedule(Settings):
    """Strength 0 up to ``start``, 1 from ``end`` on, and a straight line between; full from the beginning by default.

    Source: the curricula of Desai 2022, doi:10.48550/arXiv.2111.02549.
    """

    start: float = Field(0.0, ge=0, le=1, description="Share of the training after which the strength grows")
    end: float = Field(0.0, ge=0, le=1, description="Share of the training at which it is full")

    @model_validator(mode="after")
    def _in_order(self) -> "Schedule":
        if self.start > self.end:
            raise ValueError(
                f"a schedule should not end before it starts, but starts at {self.start:g} and ends at {self.end:g}; "
                "raise schedule.end"
            )
        return self

    def __call__(self, progress: float) -> float:
        """Return the strength, from 0 to 1, when a share of the training is done."""
        if progress >= self.end:
            return 1.0
        if progress <= self.start:
            return 0.0
        return (progress - self.start) / (self.end - self.start)
