"""Methods that sample every voxel at once, or take each in turn.

sketch: probes; monte_carlo: replicas; exact: rows.
"""
