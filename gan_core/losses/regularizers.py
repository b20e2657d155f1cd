"""What keeps a discriminator smooth: penalties on its gradient with respect to the pictures it sees.

Plain functions of a discriminator and its inputs, to be averaged, weighed and added to its loss. They know no training
loop. Logits are summed before they are differentiated, so that each row's gradient is its own picture's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .precision import upcast

D = Callable[[torch.Tensor], torch.Tensor]  # (N, ...) -> logits (N,)


def squared_gradients(logits: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """|grad_x D(x)|^2 (N,) of logits (N,) that were computed from `inputs` (N, ...), which must require grad.

    Half their mean over reals is R1 / gamma, over fakes R2 / gamma [1801.04406 eq. 9]; one batch of both gives both at once.
    """
    (gradient,) = torch.autograd.grad(upcast(logits).sum(), inputs, create_graph=True)
    return upcast(gradient).flatten(1).square().sum(1)


def approximate_squared_gradients(discriminator: D, inputs: torch.Tensor, logits: torch.Tensor, noise: torch.Tensor,
                                  sigma: float = 0.01) -> torch.Tensor:
    """(D(x + sigma e) - D(x))^2 / sigma^2 (N,), e ~ N(0, 1) handed in as `noise`, like `inputs`: no double backward.

    In expectation over e it is `squared_gradients` as sigma goes to 0: a finite difference along a random line.
    """
    moved = discriminator(inputs + sigma * noise)
    return ((upcast(moved) - upcast(logits)) / sigma).square()


def wgan_gp_penalty(discriminator: D, real: torch.Tensor, fake: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """E (|grad D(x^)| - 1)^2 at x^ = mix * real + (1 - mix) * fake, mix ~ U(0, 1) (N,) handed in [1704.00028 eq. 3].

    WGAN-GP weighs it by 10.
    """
    weight = mix.view(-1, *[1] * (real.ndim - 1))
    between = (weight * real + (1 - weight) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(upcast(discriminator(between)).sum(), between, create_graph=True)
    return (upcast(gradient).flatten(1).norm(dim=1) - 1).square().mean()
