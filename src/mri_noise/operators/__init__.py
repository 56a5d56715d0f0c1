"""Linear operators, derivatives among them, and the encoding of an image in multi-coil k-space.

linop: what an operator states, and how they compose; replay: derivatives recorded in steps; encoding: Fourier, coils,
sampling.
"""
