"""What the plugin asks of a viewer: whether its window is open, and which slice it shows."""

from napari.components import ViewerModel

VoxelSize = tuple[float, float, float] | None


def is_open(viewer: ViewerModel) -> bool:
    """Whether the window of a viewer, if it has one, is still there: napari lets go of it before its docks go."""
    window = getattr(viewer, "window", None)
    try:
        return window is None or bool(window.geometry())
    except (AttributeError, RuntimeError):
        return False


def show_slice(viewer: ViewerModel, index: int, voxel_size: VoxelSize) -> None:
    """Move the slider to a slice."""
    if viewer.dims.ndim > 2:
        viewer.dims.set_point(viewer.dims.ndim - 3, index * _thickness(voxel_size))


def shown_slice(viewer: ViewerModel, voxel_size: VoxelSize) -> int:
    """Which slice is shown."""
    if viewer.dims.ndim < 3:
        return 0
    return round(viewer.dims.point[viewer.dims.ndim - 3] / _thickness(voxel_size))


def _thickness(voxel_size: VoxelSize) -> float:
    return 1.0 if voxel_size is None else voxel_size[0]
