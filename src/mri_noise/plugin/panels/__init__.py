"""The parts of docks that know the window.

scan_panel, show_panel, sweep_panel, take_away: choose, show, sweep, save; trust: the question before code of a file
runs; film, correlation, voxel_status: noise that is seen, around a voxel, and under the pointer.
"""
