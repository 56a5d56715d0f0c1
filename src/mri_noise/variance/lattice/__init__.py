"""Lattice probing: many voxels in one product.

magnitude, complex_lattice: the methods; pilots, bundles, density: what a few voxels tell; search, choice: the lattice;
probes, adjoint_only, overlap, forward_products: how it is probed; errors, shrinkage.
"""
