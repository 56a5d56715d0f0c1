"""The run of a training."""
