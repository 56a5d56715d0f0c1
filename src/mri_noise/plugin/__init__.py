"""The napari plugin: the only part that imports napari and Qt, and only their public interface.

hooks: what napari calls; docks, panels, forms, widgets: the docks and their parts; canvas: layers and furniture;
window: what docks share; opening: scans and results as layers; worker: threads; in_use: what must not be overwritten;
preferences, samples, viewers.
"""
