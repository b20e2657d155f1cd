"""Pairs of networks, generator and discriminator, NCHW, with shapes in the margin.

Losses and training are elsewhere. `course`, `dcgan`, `resnet` and `mlp` each have `build(latent_dim, shape, classes) ->
(generator, discriminator)`, which refuses shapes that it does not support. `course` is the course's DCGAN exactly, the others are
ours. Shared parts: `layers`, `spectral_norm`, and the convolutions of `fast_conv` and `upsample`.
"""
