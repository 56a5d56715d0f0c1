"""What a training minimises, each objective by its paper's definition.

supervised, ssdu, noise2recon, vortex; consistency: what the last two share; choices, value, losses, kspace.
"""
