"""What is set anew at each step: the learning rate, and the averaged generator."""

from __future__ import annotations

import torch
from torch import nn

EMA_RAMP = 0.05  # early on the average reaches back this share of the run, as in StyleGAN2-ADA [2006.06676]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """A rate that is a tensor, as under a captured graph, is filled in place."""
    for group in optimizer.param_groups:
        group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], torch.Tensor) else rate


@torch.no_grad()
def update_average(average: nn.Module, source: nn.Module, half_life: float, step: int) -> None:
    """average += w (source - average), w = 1 - 2^(-1 / half_life), over weights and batch statistics alike.

    The statistics of the last few batches alone are noisy: on 5,000 digits their noise was a third of the distance to the real
    ones (benchmarks/soak.py). half_life: in steps, at most EMA_RAMP of those made.
    """
    half_life = min(half_life, EMA_RAMP * step)
    weight = 1 - 0.5 ** (1 / half_life) if half_life else 1.0
    old, new = ([*network.parameters(), *network.buffers()] for network in (average, source))
    torch._foreach_lerp_([t for t in old if t.is_floating_point()], [t for t in new if t.is_floating_point()], weight)
    for counter, current in zip(average.buffers(), source.buffers(), strict=True):
        if not counter.is_floating_point():
            counter.copy_(current)
