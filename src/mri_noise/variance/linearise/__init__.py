"""Where a reconstruction is linearised, and how.

point: the operating point; draws: noise around it; precision: arithmetic of the derivative; zero_filled: networks of
the zero-filled image.
"""
