"""Penalties on the discriminator's gradient with respect to its inputs, which keep it smooth.

The caller averages, weights and adds them to the loss. Logits are summed before they are differentiated, so that each row's
gradient is that of its own picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .precision import upcast

Discriminator = Callable[[torch.Tensor], torch.Tensor]  # (N, ...) -> logits (N,)


def squared_gradients(logits: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """|grad_x D(x)|^2 (N,) of logits (N,) computed from `inputs` (N, ...), which must require grad.

    Half their mean over reals is R1 / gamma, over fakes R2 / gamma [1801.04406 eq. 9]; one batch of both gives both at once.
    """
    (gradient,) = torch.autograd.grad(upcast(logits).sum(), inputs, create_graph=True)
    return upcast(gradient).flatten(1).square().sum(1)


def approximate_squared_gradients(discriminator: Discriminator, inputs: torch.Tensor, logits: torch.Tensor, noise: torch.Tensor,
                                  sigma: float = 0.01) -> torch.Tensor:
    """(D(x + sigma e) - D(x))^2 / sigma^2 (N,), e ~ N(0, 1) passed as `noise`, shaped like `inputs`: no double backward.

    The expectation over e is `squared_gradients` as sigma goes to 0: a finite difference along a random line.
    """
    shifted_logits = discriminator(inputs + sigma * noise)
    return ((upcast(shifted_logits) - upcast(logits)) / sigma).square()


def wgan_gp_penalty(discriminator: Discriminator, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """E (|grad D(x^)| - 1)^2 at x^ = mix * real + (1 - mix) * fake, mix ~ U(0, 1) (N,) passed in [1704.00028 eq. 3].

    WGAN-GP weights it by 10.
    """
    share = mix.view(-1, *[1] * (real.ndim - 1))  # (N, 1, ...)
    between = (share * real + (1 - share) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(upcast(discriminator(between)).sum(), between, create_graph=True)
    return (upcast(gradient).flatten(1).norm(dim=1) - 1).square().mean()
