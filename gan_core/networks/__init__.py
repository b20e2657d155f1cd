"""Pairs of networks, NCHW, each with its shapes in the margin; they know nothing of losses or training."""
