"""Stacks of slices, with one more slider before them."""

from mri_noise.session.layer_data import Geometry


def with_slider(place: Geometry, label: str) -> Geometry:
    """Where the voxels of a stack are whose first axis counts something."""
    return Geometry((1.0, *place.scale), (0.0, *place.translate), ("pixel", *place.units), (label, *place.axis_labels))
