"""What an open window knows and shows, without the window: plain Python, no Qt and no napari.

state: the session; jobs, runs: what is computed and kept; scans, models, identities: what can be chosen; layer_data,
components, furniture: what is drawn; captions, notes, verdicts, agreement, differences: what is said; scripts: a run as
text; regions, sweeps.
"""
