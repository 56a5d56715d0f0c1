"""Linear operators, derivatives among them, and the encoding of an image in k-space."""
