"""The check of annotations in every function of the project, prepared when a function is first called."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from beartype import beartype

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """What beartype makes of a function: it writes and compiles one, which for all of them takes seconds a process."""

    @functools.wraps(function)
    def check(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal prepared
        if prepared is None:
            prepared = beartype(function)
        return prepared(*args, **kwargs)

    prepared: Callable[P, R] | None = None
    return check
