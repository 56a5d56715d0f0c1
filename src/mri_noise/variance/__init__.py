"""Noise variance of a reconstruction, and exact read-outs of it.

estimate, plan: values; method: what a choice is; sampling, lattice: the methods; linearise: a linear part; check: what
it leaves out; budget: both within a target; control_variates; rows, readout, closed_form: exact answers; read_at_noise:
beyond first order; maps, compare, smoothing; calibration: tuned constants, each with its evidence.
"""
