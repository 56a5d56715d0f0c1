"""What noise of this size does beyond the linear part, and what follows.

pairs: reconstructions of opposite noise beside the linear part; excess: what they add to a variance, and how well that
is known; linearity: settings and verdict; first_look: a map from few samples; whole: linear part and the rest.
"""
