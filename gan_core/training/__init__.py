"""The training loop: one pair of networks, one data set, two updates a step.

Images in, metrics out; this package writes no file and starts no process. `trainer` holds both updates, `batches` every draw a
step needs, `penalties` what R1, R2 and WGAN-GP add, `schedule` what changes with the step, `setup` networks, optimizers and the
checks before the first step, `state` all tensors by name, `pixel_range` the conversion between uint8 and [0, 1].
"""
