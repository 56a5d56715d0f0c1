"""What the fields of settings are called on screen."""

from pydantic.fields import FieldInfo


def title_of_field(name: str, field: FieldInfo) -> str:
    """The title that the field carries; else its name, counts without their ``n_``."""
    return field.title or name.removeprefix("n_").replace("_", " ")
