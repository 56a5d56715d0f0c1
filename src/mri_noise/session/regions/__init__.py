"""Regions and voxels, and their noise.

regions: drawn shapes; readouts: exact noise; region_table: figures of runs; voxels: under the pointer.
"""
