"""Stacks of maps: over values of a setting, over realisations."""
