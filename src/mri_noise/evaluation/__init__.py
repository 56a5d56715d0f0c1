"""Trained networks and classical reconstructions side by side: quality of their images, and noise in them.

cases: slices and masks; bench: a case made ready; methods: networks, bart; weights: the best regularisation;
rows: what is measured; tables, figure: how it is shown.
"""
