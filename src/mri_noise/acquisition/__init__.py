"""A scan and its noise, which of its samples are kept, and its coil maps.

noise: covariance and prewhitening; scan: a file's slices; noise_sources, masks, coils: the choices of an experiment;
coil_calibration: the centre of k-space that coil maps are found in; sampled: the extent of what was acquired.
"""
