"""Pairs of networks, generator and discriminator, NCHW, with shapes in the margin.

This package knows no loss and no training. Each module has `build(latent_dim, shape, classes) -> (generator, discriminator)`
and refuses shapes that it does not support. `course` is the course's DCGAN exactly; `dcgan`, `resnet` and `mlp` are ours;
`layers` and `upsample` are shared building blocks.
"""
