"""Measures of generated pictures: plain functions on tensors, which know nothing of runs or training."""
