"""Linear images of the noise whose covariance is known.

controls: the images; regression: how they combine; compact: many samples in little memory.
"""
