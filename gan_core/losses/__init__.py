"""What each network minimises: losses on logits, gradient penalties, augmentation, and the draws they need.

Pure torch: plain tensors in, scalars out. This package knows no network, run or page.
`adversarial` holds the pairs of losses, `regularizers` R1, R2 and WGAN-GP's penalty, `augmentation` DiffAugment,
`randomness` the draws as functions of the seed and the step, `precision` the float32 that losses are computed in.
"""
