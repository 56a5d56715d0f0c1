"""Stacks of maps: over values of a setting, over realisations of the noise.

sweeps, films: what is stacked; stacks: how; curves: errors over evaluations.
"""
