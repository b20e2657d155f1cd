"""What each network minimises: losses on logits, gradient penalties, augmentation, and reproducible random draws.

Pure torch: plain tensors in, scalars out. `adversarial` holds the pairs of losses, `regularizers` R1, R2 and WGAN-GP's penalty,
`augmentation` DiffAugment, `randomness` draws that depend on seed and step only, `precision` the cast to float32.
"""
