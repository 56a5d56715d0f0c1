"""Training of reconstruction networks: data, objectives, and the fit. Needs the extra ``train``.

recipe: every choice; example, together: what is trained on; data, simulation, augment, geometry: where it comes from;
objectives: what is minimised; initial: weights to begin with; loop: the run.
"""
