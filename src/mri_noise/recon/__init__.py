"""Reconstructions: linear ones, and every network architecture of the project.

reconstruction: what a choice of one is; reconstructor: what it makes; linear, networks, python: the choices; blocks:
what networks are made of; solvers: normal equations; weights, state_dict: files of weights and their tensors.
"""
