"""Lattice probing: many voxels in one product."""
