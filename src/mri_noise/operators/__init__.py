"""Linear operators, derivatives among them, and the encoding of an image in k-space.

linop: what an operator states, and how they compose; replay: derivatives recorded in steps; jacobian: as operators;
encoding: what any is; cartesian: Sense; lines: its inverse line by line; point_spread: as a convolution; fourier.
"""
