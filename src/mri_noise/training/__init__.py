"""Training of reconstruction networks: data, objectives, and the fit. Needs the extra ``train``."""
