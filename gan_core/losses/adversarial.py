"""What the two players minimise: plain functions on logits, and which side of zero means "real".

The caller runs the networks and draws the noise on labels. Everything is computed in float32 at least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .precision import upcast


@dataclass(frozen=True)
class Loss:
    """A pair of losses, each a scalar tensor.

    d_loss(real_logits, fake_logits, real_noise=None, fake_noise=None) and g_loss(fake_logits, real_logits=None);
    logits and noise are (N,), the noise already scaled. `fake_is_one`: logits above 0 mean "fake", as in the course.
    `relative`: only differences of logits mean something, so "how real" is asked against the other kind. `paired`: the
    generator's loss needs fresh `real_logits` too. `takes_noise`: the loss has labels that noise can be added to.
    """

    d_loss: Callable[..., torch.Tensor]
    g_loss: Callable[..., torch.Tensor]
    fake_is_one: bool = False
    relative: bool = False
    paired: bool = False
    takes_noise: bool = False


def probability_real(logits: torch.Tensor, fake_is_one: bool) -> torch.Tensor:
    """The discriminator's probability of "real", in [0, 1], float32, same shape as the logits."""
    return torch.sigmoid(-upcast(logits) if fake_is_one else upcast(logits))


def non_saturating_d(real_logits: torch.Tensor, fake_logits: torch.Tensor,
                     real_noise: torch.Tensor | None = None, fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(-D(x)) + mean softplus(D(g)): the cross-entropy of Goodfellow et al. 2014, real labelled 1.

    Noise n on the labels adds -mean(n * D(x)) and -mean(n * D(g)): a label y weighs the logit by y.
    """
    real, fake = upcast(real_logits), upcast(fake_logits)
    loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    for logits, noise in ((real, real_noise), (fake, fake_noise)):
        if noise is not None:
            loss = loss - (noise * logits).mean()
    return loss


def non_saturating_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(-D(g)) = -mean log P(real): gradients stay strong where D is certain. `real_logits` is not used."""
    return F.softplus(-upcast(fake_logits)).mean()


def course_d(real_logits: torch.Tensor, fake_logits: torch.Tensor,
             real_noise: torch.Tensor | None = None, fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean over the 2N of softplus(l) - y*l, fakes labelled y = 1 and reals y = 0, plus noise; labels may exceed 1.

    This is binary cross-entropy -y log p - (1 - y) log(1 - p) with p = sigmoid(l), on one batch of both kinds.
    """
    logits = upcast(torch.cat([fake_logits, real_logits]))
    labels = torch.cat([torch.ones_like(upcast(fake_logits)) + (0 if fake_noise is None else fake_noise),
                        torch.zeros_like(upcast(real_logits)) + (0 if real_noise is None else real_noise)])
    return F.binary_cross_entropy_with_logits(logits, labels)


def course_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(D(g)): cross-entropy with the misleading label 0, "real". `real_logits` is not used."""
    return F.softplus(upcast(fake_logits)).mean()


def saturating_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """-mean softplus(D(g)) = mean log(1 - P(real)): the minimax of Goodfellow et al. 2014, eq. 1.

    Its gradient vanishes where D is certain, so practice prefers the non-saturating form. `real_logits` is not used.
    """
    return -F.softplus(upcast(fake_logits)).mean()


def relativistic_d(real_logits: torch.Tensor, fake_logits: torch.Tensor, real_noise: torch.Tensor | None = None,
                   fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(-(D(x) - D(g))): each real must look more real than the fake beside it [1807.00734, 2501.05441 eq. 2]."""
    return F.softplus(upcast(fake_logits) - upcast(real_logits)).mean()


def relativistic_g(fake_logits: torch.Tensor, real_logits: torch.Tensor) -> torch.Tensor:
    """mean softplus(-(D(g) - D(x))): reals and fakes exchanged, on fresh reals."""
    return F.softplus(upcast(real_logits) - upcast(fake_logits)).mean()


def hinge_d(real_logits: torch.Tensor, fake_logits: torch.Tensor, real_noise: torch.Tensor | None = None,
            fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean relu(1 - D(x)) + mean relu(1 + D(g)) [1705.02894, 1802.05957]: logits beyond the margin add nothing."""
    return F.relu(1 - upcast(real_logits)).mean() + F.relu(1 + upcast(fake_logits)).mean()


def least_squares_d(real_logits: torch.Tensor, fake_logits: torch.Tensor, real_noise: torch.Tensor | None = None,
                    fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean (D(x) - 1)^2 + mean (D(g) + 1)^2, half of each [1611.04076]; targets +1 and -1, so that 0 is undecided."""
    return 0.5 * ((upcast(real_logits) - 1).square().mean() + (upcast(fake_logits) + 1).square().mean())


def least_squares_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """mean (D(g) - 1)^2, halved. `real_logits` is not used."""
    return 0.5 * (upcast(fake_logits) - 1).square().mean()


def wasserstein_d(real_logits: torch.Tensor, fake_logits: torch.Tensor, real_noise: torch.Tensor | None = None,
                  fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean D(g) - mean D(x) [1701.07875 eq. 2]: minus the distance, if D is kept 1-Lipschitz by a penalty."""
    return upcast(fake_logits).mean() - upcast(real_logits).mean()


def wasserstein_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """-mean D(g), for Wasserstein and hinge alike. `real_logits` is not used."""
    return -upcast(fake_logits).mean()


def mean_realness(loss: Loss, real_logits: torch.Tensor, fake_logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The discriminator's mean P(real) of reals and of fakes, each in [0, 1]; 0.5 where it can only guess.

    For a relative loss each kind is compared with the other's mean: P(real) = sigmoid(D(x) - mean D(g)), and likewise for fakes.
    """
    real, fake = upcast(real_logits), upcast(fake_logits)
    if loss.relative:
        real, fake = real - fake.mean(), fake - real.mean()
    return probability_real(real, loss.fake_is_one).mean(), probability_real(fake, loss.fake_is_one).mean()


NON_SATURATING = Loss(non_saturating_d, non_saturating_g, takes_noise=True)
COURSE = Loss(course_d, course_g, fake_is_one=True, takes_noise=True)
SATURATING = Loss(non_saturating_d, saturating_g, takes_noise=True)
RELATIVISTIC = Loss(relativistic_d, relativistic_g, relative=True, paired=True)
HINGE = Loss(hinge_d, wasserstein_g)
LEAST_SQUARES = Loss(least_squares_d, least_squares_g)
WASSERSTEIN = Loss(wasserstein_d, wasserstein_g, relative=True)
