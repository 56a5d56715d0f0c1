"""Trained networks and classical reconstructions side by side: quality of their images, and noise in them."""
