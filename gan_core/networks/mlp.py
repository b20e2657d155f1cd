"""Two multilayer perceptrons for points in the plane, centred and scaled to standard deviation 1.

The activations decide what each can learn in a minute. A tanh generator can become flat, as narrow modes need; one of ReLUs stays
a bent sheet. A discriminator on Fourier features [2006.10739] resolves modes a fortieth of their distance wide; on plain
coordinates it learns something smooth.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..losses.precision import upcast

WIDTH, SLOPE = 128, 0.2
GOLDEN = (math.sqrt(5) - 1) / 2
BOUND = 1.8  # of each coordinate, in standard deviations of the data; ring and grid reach 1.5
NUM_WAVES, FREQUENCY_STD = 32, 2.0  # Fourier features, and the standard deviation of their angular frequencies


class Generator(nn.Module):
    """z (N, latent_dim) -> points (N, 2) float32: four hidden layers of tanh; more layers make sharper steps."""

    def __init__(self, latent_dim: int = 2, width: int = WIDTH) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.hidden1 = nn.Linear(latent_dim, width)
        self.hidden2 = nn.Linear(width, width)
        self.hidden3 = nn.Linear(width, width)
        self.hidden4 = nn.Linear(width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = z
        for layer in (self.hidden1, self.hidden2, self.hidden3, self.hidden4):
            x = torch.tanh(layer(x))  # (N, 128)
        return upcast(self.head(x))  # (N, 2)


class BoundedGenerator(Generator):
    """z (N, latent_dim) -> points (N, 2) float32 in the square [-BOUND, BOUND]^2, as sigmoid and tanh bound the pixels of a
    picture's generator: a game that never settles still stays in view.
    """

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return BOUND * torch.tanh(super().forward(z) / BOUND)


class Discriminator(nn.Module):
    """Points (N, 2) -> logits (N,) float32: Fourier features, two hidden layers of leaky ReLU, no normalisation."""

    frequencies: torch.Tensor  # (2, waves)

    def __init__(self, width: int = WIDTH, waves: int = NUM_WAVES) -> None:
        super().__init__()
        self.register_buffer("frequencies", FREQUENCY_STD * fourier_frequencies(waves))
        self.hidden1 = nn.Linear(2 * waves, width)
        self.hidden2 = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat(self._fourier_features(x), dim=1)  # (N, 64)
        for layer in (self.hidden1, self.hidden2):
            x = F.leaky_relu(layer(x), SLOPE)  # (N, 128)
        return upcast(self.head(x).squeeze(1))  # (N,)

    def _fourier_features(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 2) -> sines and cosines, (N, 32) each."""
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 is too coarse for phases of several turns
            phases = x.to(self.frequencies.dtype) @ self.frequencies  # (N, 32)
        return phases.sin(), phases.cos()

    def with_squared_gradients(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(logits (N,), |grad_x D(x)|^2 (N,)) of the same function, by an explicit chain rule.

        The weights' gradient takes one backward pass; through autograd it takes two, and half as long again.
        """
        sines, cosines = self._fourier_features(x)
        pre1 = self.hidden1(torch.cat([sines, cosines], dim=1))
        pre2 = self.hidden2(F.leaky_relu(pre1, SLOPE))
        logits = upcast(self.head(F.leaky_relu(pre2, SLOPE)).squeeze(1))
        slope1, slope2 = (torch.where(pre.detach() > 0, 1.0, SLOPE) for pre in (pre1, pre2))  # no second derivative
        by_features = ((self.head.weight * slope2) @ self.hidden2.weight * slope1) @ self.hidden1.weight  # (N, 64)
        by_sines, by_cosines = by_features.to(self.frequencies.dtype).chunk(2, dim=1)
        gradient = (by_sines * cosines - by_cosines * sines) @ self.frequencies.T  # (N, 2)
        return logits, upcast(gradient).square().sum(1)


def fourier_frequencies(count: int) -> torch.Tensor:
    """Angular frequencies (2, count) distributed like N(0, 1), but evenly: with a few random ones results depend on the seed.

    Directions cover half a circle (opposite waves are the same); lengths are quantiles of their Rayleigh distribution at
    multiples of the golden ratio, so that neighbours differ.
    """
    k = torch.arange(count, dtype=torch.float64)
    direction = math.pi * (k + 0.5) / count
    length = (-2 * torch.log1p(-(((k + 0.5) * GOLDEN) % 1))).sqrt()
    return torch.stack([length * direction.cos(), length * direction.sin()]).float()


def he_(network: nn.Module) -> nn.Module:
    """He's initial weights for every hidden layer, in place; heads keep torch's smaller ones; returns the network."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear) and name.startswith("hidden"):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    return network


def build(latent_dim: int = 2, shape: tuple[int, ...] = (2,), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator), for points without classes; `networks.pair` refuses the rest."""
    return he_(Generator(latent_dim)), he_(Discriminator())


def build_bounded(latent_dim: int = 2, shape: tuple[int, ...] = (2,), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """The same with a bounded generator."""
    return he_(BoundedGenerator(latent_dim)), he_(Discriminator())
