"""What the two players minimise: plain functions on logits, and which side of zero means "real".

They know no network and draw no numbers; noise on labels is handed in. All of it is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Loss:
    """A pair of losses, each a scalar tensor.

    d_loss(real_logits, fake_logits, real_noise=None, fake_noise=None) and g_loss(fake_logits, real_logits=None);
    logits and noise are (N,), the noise already scaled. `fake_is_one`: logits above 0 mean "fake", as in the course.
    """

    d_loss: Callable[..., torch.Tensor]
    g_loss: Callable[..., torch.Tensor]
    fake_is_one: bool


def probability_real(logits: torch.Tensor, fake_is_one: bool) -> torch.Tensor:
    """The discriminator's probability of "real", in [0, 1], float32, same shape as the logits."""
    return torch.sigmoid(-logits.float() if fake_is_one else logits.float())


def non_saturating_d(real_logits: torch.Tensor, fake_logits: torch.Tensor,
                     real_noise: torch.Tensor | None = None, fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(-D(x)) + mean softplus(D(g)): the cross-entropy of Goodfellow et al. 2014, real labelled 1.

    Noise n on the labels adds -mean(n * D(x)) and -mean(n * D(g)): a label y weighs the logit by y.
    """
    real, fake = real_logits.float(), fake_logits.float()
    loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    for logits, noise in ((real, real_noise), (fake, fake_noise)):
        if noise is not None:
            loss = loss - (noise * logits).mean()
    return loss


def non_saturating_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(-D(g)) = -mean log P(real): strong gradients also where D is sure. `real_logits` is not used."""
    return F.softplus(-fake_logits.float()).mean()


def course_d(real_logits: torch.Tensor, fake_logits: torch.Tensor,
             real_noise: torch.Tensor | None = None, fake_noise: torch.Tensor | None = None) -> torch.Tensor:
    """mean over the 2N of softplus(l) - y*l, fakes labelled y = 1 and reals y = 0, plus noise: labels above 1 are meant.

    This is binary cross-entropy -y log p - (1 - y) log(1 - p) with p = sigmoid(l), on one batch of both kinds.
    """
    logits = torch.cat([fake_logits, real_logits]).float()
    labels = torch.cat([torch.ones_like(fake_logits, dtype=torch.float32) + (0 if fake_noise is None else fake_noise),
                        torch.zeros_like(real_logits, dtype=torch.float32) + (0 if real_noise is None else real_noise)])
    return F.binary_cross_entropy_with_logits(logits, labels)


def course_g(fake_logits: torch.Tensor, real_logits: torch.Tensor | None = None) -> torch.Tensor:
    """mean softplus(D(g)): cross-entropy with the misleading label 0, "real". `real_logits` is not used."""
    return F.softplus(fake_logits.float()).mean()


NON_SATURATING = Loss(non_saturating_d, non_saturating_g, fake_is_one=False)
COURSE = Loss(course_d, course_g, fake_is_one=True)
