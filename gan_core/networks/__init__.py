"""Pairs of networks, NCHW, each with its shapes in the margin; they know nothing of losses or training.

Each module has `build(latent_dim, shape, classes) -> (generator, discriminator)` and refuses what it does not make.
"""
