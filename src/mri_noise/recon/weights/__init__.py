"""Weights of networks: files, the layouts of others, and those that come with the package.

weights_file: tensors and metadata; checkpoint: our format; layouts, layouts_fastmri, layouts_meddlr: those of others;
shipped: the choice of the networks in trained.
"""
