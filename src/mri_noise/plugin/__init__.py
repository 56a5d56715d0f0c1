"""The napari plugin: the only part that imports napari and Qt, and only their public interface."""
