"""A small DCGAN (Radford et al. 2015) made for two cores: transposed convolutions, batch norm in the generator only.

Images are NCHW in [0, 1], 28x28 grey; what the sign of the discriminator's logits means is the loss's business.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Generator(nn.Module):
    """z (N, latent_dim) -> images (N, 1, 28, 28) float32 in [0, 1]. `width`: channels at 7x7, halved at each doubling."""

    def __init__(self, latent_dim: int = 32, width: int = 64) -> None:
        super().__init__()
        self.latent_dim, self.width = latent_dim, width
        # No bias where a batch norm follows: it would be subtracted again.
        self.dense = nn.Linear(latent_dim, 7 * 7 * width, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.up1 = nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width // 2)
        self.up2 = nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(width // 4)
        self.head = nn.Conv2d(width // 4, 1, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.dense(z).view(-1, 7, 7, self.width).permute(0, 3, 1, 2)  # channels_last from the start
        x = F.relu(self.norm1(x))  # (N, 64, 7, 7)
        x = F.relu(self.norm2(self.up1(x)))  # (N, 32, 14, 14)
        x = F.relu(self.norm3(self.up2(x)))  # (N, 16, 28, 28)
        # The sigmoid is taken in float32: bfloat16 near 1 has steps as large as one grey level.
        return torch.sigmoid(self.head(x).float())  # (N, 1, 28, 28)


class Discriminator(nn.Module):
    """(N, 1, 28, 28) -> logits (N,) float32. No norm: it would tie the images of a batch together."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 4, stride=2, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.dense = nn.Linear(4 * width * 3 * 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.conv1(x * 2 - 1), 0.2)  # (N, 16, 14, 14), from [0, 1] centred on 0
        x = F.leaky_relu(self.conv2(x), 0.2)  # (N, 32, 7, 7)
        x = F.leaky_relu(self.conv3(x), 0.2)  # (N, 64, 3, 3)
        return self.dense(x.flatten(1)).squeeze(1).float()  # (N,)


def dcgan_(module: nn.Module) -> nn.Module:
    """DCGAN's initial weights in place: N(0, 0.02), batch norm's scale N(1, 0.02), zero biases; returns the module."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def build(latent_dim: int = 32, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator), as the registry wants them."""
    return dcgan_(Generator(latent_dim)), dcgan_(Discriminator())
