"""The data of a training.

sources: where they come from; scans, simulated, volumes of the simulation, cache; draws, random_masks, variation: what
is drawn; stream, loader: in which order, and how.
"""
