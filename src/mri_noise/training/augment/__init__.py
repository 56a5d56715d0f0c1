"""Random transforms of examples, under which an ideal reconstruction would change with its input or not at all.

augmentation, choices: what one is, and which there are; noise, motion, symmetry, affine; schedule: how strong;
interpolation.
"""
