"""The network architectures.

unet, unrolled, modl, varnet, varnet_image, meddlr_unet.
"""
