"""A small DCGAN (Radford et al. 2015) for two cores: transposed convolutions, batch norm in the generator only.

Images are NCHW in [0, 1], 28, 32 or 64 pixels, grey or colour. The loss decides what the sign of D's logits means. With
classes, both networks take labels: conditional batch norm in G, a projection in D.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..losses.precision import upcast
from .layers import BatchNorm2d, ClassBatchNorm, Projection, upsampling_plan


class Generator(nn.Module):
    """z (N, latent_dim)[, labels (N,)] -> images (N, *shape) float32 in [0, 1]. `width`: channels at full size."""

    def __init__(self, latent_dim: int = 32, width: int = 16, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> None:
        super().__init__()
        channels, self.base, self.doublings = upsampling_plan(shape)
        widths = [width << k for k in range(self.doublings, -1, -1)]  # channels halve where the size doubles
        self.latent_dim, self.classes = latent_dim, classes

        def norm(size: int) -> nn.Module:
            return ClassBatchNorm(size, classes) if classes else BatchNorm2d(size)

        # No bias where batch norm follows, which would subtract it again.
        self.dense = nn.Linear(latent_dim, self.base**2 * widths[0], bias=False)
        self.norm1 = norm(widths[0])
        for k in range(1, self.doublings + 1):
            self.add_module(f"up{k}", nn.ConvTranspose2d(widths[k - 1], widths[k], 4, stride=2, padding=1, bias=False))
            self.add_module(f"norm{k + 1}", norm(widths[k]))
        self.head = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        condition = (labels,) if self.classes else ()
        x = self.dense(z).view(len(z), self.base, self.base, -1).permute(0, 3, 1, 2)  # channels_last from here on
        x = F.relu(self.norm1(x, *condition))  # (N, 64, 7, 7), for 28x28
        for k in range(1, self.doublings + 1):
            up, norm = getattr(self, f"up{k}"), getattr(self, f"norm{k + 1}")
            x = F.relu(norm(up(x), *condition))  # (N, 32, 14, 14), (N, 16, 28, 28)
        # The sigmoid is computed in float32: near 1, steps of bfloat16 are as large as one grey level.
        return torch.sigmoid(upcast(self.head(x)))  # (N, 1, 28, 28)


class Discriminator(nn.Module):
    """(N, *shape)[, labels (N,)] -> logits (N,) float32. No normalisation, which would couple the images of a batch."""

    def __init__(self, width: int = 16, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> None:
        super().__init__()
        channels, base, doublings = upsampling_plan(shape)
        self.halvings = doublings + 1
        widths = [channels, *(width << k for k in range(self.halvings))]
        for k in range(1, self.halvings + 1):
            self.add_module(f"conv{k}", nn.Conv2d(widths[k - 1], widths[k], 4, stride=2, padding=1))
        self.dense = nn.Linear(widths[-1] * (base // 2)**2, 1)
        self.projection = Projection(classes, self.dense.in_features) if classes else None

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = x * 2 - 1  # from [0, 1] to [-1, 1]
        for k in range(1, self.halvings + 1):
            x = F.leaky_relu(getattr(self, f"conv{k}")(x), 0.2)  # (N, 16, 14, 14), (N, 32, 7, 7), (N, 64, 3, 3), for 28x28
        features = x.flatten(1)
        logits = upcast(self.dense(features).squeeze(1))  # (N,)
        return logits if self.projection is None else logits + self.projection(features, labels)


def dcgan_(module: nn.Module) -> nn.Module:
    """DCGAN's initial weights in place: N(0, 0.02), batch norm's scale N(1, 0.02), biases 0; returns the module."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d) and layer.weight is not None:
            nn.init.normal_(layer.weight, 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def build(latent_dim: int = 32, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator). Raises ValueError for an unsupported shape."""
    return dcgan_(Generator(latent_dim, shape=shape, classes=classes)), dcgan_(Discriminator(shape=shape, classes=classes))
