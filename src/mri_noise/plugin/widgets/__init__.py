"""Widgets that know nothing of a window.

sections, tables, table_file, plots, mask_picture.
"""
