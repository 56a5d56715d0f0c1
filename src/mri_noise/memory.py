"""Smaller batches where memory runs out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, TypeVar

from mri_noise.allocation import is_out_of_memory
from mri_noise.result import Result
from mri_noise.variance.point import OperatingPoint, batch_size

T = TypeVar("T")


def as_memory_allows(
    snapshot: Result,
    stage: Literal["linearity", "variance"],
    point: OperatingPoint,
    compute: Callable[[Result], Iterator[T]],
) -> Iterator[T]:
    """Compute a stage; where memory runs out, start it again with half the batch, which the experiment then says.

    Little is lost, since the first batch takes as much memory as the others; and the experiment of the result gives
    its numbers again.
    """
    while True:
        settings = getattr(snapshot.experiment, stage)
        try:
            yield from compute(snapshot)
        except (MemoryError, RuntimeError) as error:
            batch = batch_size(settings.batch, point)
            if batch == 1 or not is_out_of_memory(error):
                raise
        else:
            return
        halved: dict[str, Any] = {stage: settings.model_copy(update={"batch": batch // 2})}
        snapshot = replace(snapshot, experiment=snapshot.experiment.model_copy(update=halved))
