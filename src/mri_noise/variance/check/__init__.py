"""Whether the linearisation holds, and what follows.

linearity: pairs and their verdict; checked: what it changes in a map; first_look: a map from few samples.
"""
