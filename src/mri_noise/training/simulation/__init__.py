"""Simulated acquisitions: what is drawn for each, and the physics that turns it into k-space."""
