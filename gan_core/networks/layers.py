"""The few layers that torch lacks: dropout with its own source of randomness, and Keras' initial weights.

It knows no network; who wants reproducible masks sets `Dropout.generator` before each forward pass.
"""

from __future__ import annotations

import torch
from torch import nn


class Dropout(nn.Module):
    """Zeroes each value with probability `p` in [0, 1) and scales the rest by 1/(1 - p); in eval mode it does nothing.

    While `generator` is set the mask comes from it, on the generator's own device, so that a run's masks depend on
    nothing else; otherwise it comes from torch's global generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p is {p!r}; give a number from 0 to just below 1.")
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x of any shape; the same shape and type."""
        if not self.training or self.p == 0:
            return x
        device = x.device if self.generator is None else self.generator.device
        kept = torch.rand(x.shape, generator=self.generator, device=device) >= self.p
        return x * kept.to(x.device, x.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


def glorot_(module: nn.Module) -> nn.Module:
    """Keras' initial weights for every dense and convolutional layer inside, in place; returns the module.

    Weights U(-a, a) with a = sqrt(6 / (fan_in + fan_out)), a kernel's area counting into both fans (Glorot & Bengio
    2010); biases zero. Draws from torch's global generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
