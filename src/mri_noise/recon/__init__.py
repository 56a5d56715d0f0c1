"""Reconstructions: linear ones, and every network architecture of the project."""
