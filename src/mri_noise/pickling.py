"""What the pickle of a frozen value holds."""

from dataclasses import fields
from typing import Any


def fields_alone(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, without what it has computed from them once and keeps.

    A class takes it as its ``__getstate__``: what is kept may be larger than the value, may be of one machine alone
    (the batch that fits its memory), and is computed again where it is needed.
    """
    return {field.name: getattr(value, field.name) for field in fields(value)}
