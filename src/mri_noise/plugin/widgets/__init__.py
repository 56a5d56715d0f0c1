"""Widgets without knowledge of MRI."""
