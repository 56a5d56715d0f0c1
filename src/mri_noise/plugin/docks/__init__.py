"""The docks.

noise_dock, roi_dock, compare_dock, runs_dock; docking: where they go.
"""
