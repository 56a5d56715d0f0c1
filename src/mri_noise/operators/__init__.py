"""Linear operators, derivatives among them, and the encoding of an image in multi-coil k-space."""
