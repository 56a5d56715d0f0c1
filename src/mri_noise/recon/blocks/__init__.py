"""What networks are made of.

primitives: layers that replay; fastmri_unet, resnet, multiscale: networks of images; denoiser: the choice of them;
gradient_steps: towards the data; scale: at which a network works.
"""
