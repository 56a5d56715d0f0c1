"""The weight of a regularisation that gives the best image, searched on a logarithmic grid."""

from collections.abc import Callable

_FACTOR = 2.0
_LEAST, _LARGEST = 1e-7, 10.0


def best_weight(score: Callable[[float], float], start: float, coarse: int = 5) -> float:
    """Return the weight of the highest score.

    A coarse grid about ``start``, in steps of a factor of 4, is extended at the end where its best lies until that
    lies inside, and its best is then compared with its neighbours at a factor of 2.
    """
    step = _FACTOR**2
    scores = {
        weight: score(weight) for weight in (start * step**power for power in range(-(coarse // 2), coarse // 2 + 1))
    }
    while (beyond := _beyond(scores, step)) is not None:
        scores[beyond] = score(beyond)
    best = max(scores, key=scores.__getitem__)
    for weight in (best / _FACTOR, best * _FACTOR):
        scores[weight] = score(weight)
    return max(scores, key=scores.__getitem__)


def _beyond(scores: dict[float, float], step: float) -> float | None:
    """The next weight outside the grid, if its best is at an end."""
    best = max(scores, key=scores.__getitem__)
    if best == min(scores) and best > _LEAST:
        return best / step
    if best == max(scores) and best < _LARGEST:
        return best * step
    return None
