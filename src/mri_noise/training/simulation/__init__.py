"""Simulated acquisitions: what is drawn for each, and the physics that turns it into k-space.

acquisition: all of it; volumes: anatomy; geometry, tissue, phase, receivers: its parts; dice: what is drawn.
"""
