"""Trained weights that come with the package; docs/models.md tells how each was trained."""
