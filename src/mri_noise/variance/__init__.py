"""Noise variance of a reconstruction, and exact read-outs of it."""
