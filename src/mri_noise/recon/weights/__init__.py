"""Weights of networks: files, the layouts of others, and those that come with the package."""
