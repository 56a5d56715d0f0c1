"""Regions and voxels, and their noise."""
