"""The run of a training.

fit: the training; module: one step; loading, metrics, callbacks: data, quality, the log; checkpoints, folder: files.
"""
