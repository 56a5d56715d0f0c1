"""Lattice probing: many voxels in one product.

magnitude, complex_lattice: one method over directions; planning: by pilots (bundles, density, choice, search, overlap);
probing: does it (probes, adjoint_only), or takes forward_products; errors: how well a map is known; shrinkage.
"""
