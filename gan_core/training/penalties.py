"""What the discriminator pays for being steep, added to its loss: R1, R2 and WGAN-GP's penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from ..losses import regularizers
from .batches import Batches, Labels
from .setup import forward


@dataclass(frozen=True)
class DiscriminatorPass:
    """One pass of D over N fakes and, behind them, N reals.

    batch: (2N, ...) before augmentation and noise; inputs: (2N, ...) as D sees them; labels, logits: (2N,).
    squared_gradients: |grad D|^2 (2N,) where D computes it with its logits.
    """

    batch: torch.Tensor
    inputs: torch.Tensor
    labels: Labels
    logits: torch.Tensor
    squared_gradients: torch.Tensor | None = None


class SquaredGradients(Protocol):
    """A discriminator that computes its gradient with its logits."""

    def with_squared_gradients(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(logits (N,), |grad D|^2 (N,)) at x (N, ...)."""


def penalty(D: nn.Module, passed: DiscriminatorPass, batches: Batches, index: int, weight: float) -> torch.Tensor | float:
    """weight (r1 / 2 E_real |grad D|^2 + r2 / 2 E_fake |grad D|^2 + gradient_penalty E (|grad D(between)| - 1)^2).

    R1 and R2 are of the gradient before augmentation and noise, as in R3GAN; WGAN-GP's penalty is between reals and fakes as
    D sees them.
    """
    config, inputs, labels = batches.config, passed.inputs, passed.labels
    total: torch.Tensor | float = 0.0
    if config.r1 or config.r2:
        at_fake, at_real = _squared_gradients(D, passed, batches, index).chunk(2)
        total = total + weight * 0.5 * (config.r1 * at_real.mean() + config.r2 * at_fake.mean())
    if config.gradient_penalty:
        (fake, real), mix = inputs.detach().chunk(2), batches.draw("uniform", "between", index, len(inputs) // 2)
        half = None if labels is None else labels[:len(real)]
        steepness = regularizers.wgan_gp_penalty(lambda x: forward(D, x, half), real, fake, mix)
        total = total + weight * config.gradient_penalty * steepness
    return total


def _squared_gradients(D: nn.Module, passed: DiscriminatorPass, batches: Batches, index: int) -> torch.Tensor:
    if passed.squared_gradients is not None:
        return passed.squared_gradients
    if batches.config.penalty == "exact":
        return regularizers.squared_gradients(passed.logits, passed.batch)
    noise = batches.draw("normal", "penalty", index, *passed.inputs.shape)
    return regularizers.approximate_squared_gradients(lambda x: forward(D, x, passed.labels), passed.inputs.detach(),
                                                      passed.logits, noise)
