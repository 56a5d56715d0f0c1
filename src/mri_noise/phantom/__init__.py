"""A simulated brain scan, made of an anatomy, a coil array and receiver noise.

simulation: the scan; anatomy: the head; receivers: loops and their noise; fields: Biot and Savart.
"""
