"""Where a reconstruction is linearised, and how."""
