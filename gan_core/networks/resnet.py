"""A small residual pair without normalisation, after R3GAN [2501.05441], for losses that are stable without it.

Images are NCHW in [0, 1], 28, 32 or 64 pixels, grey or colour. Unlike R3GAN it has one block at each size instead of several, and
plain convolutions, which are faster on a processor than grouped ones.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from ..losses.precision import upcast
from .layers import Projection, require_labels, upsampling_plan


class Block(nn.Module):
    """x + conv1x1(act(conv3x3(act(conv1x1(x))))), the last convolution 0 at first, so that each block starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(width, width, 1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.leave = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.leave(F.leaky_relu(self.middle(F.leaky_relu(self.enter(x), 0.2)), 0.2))


def _widths(width: int, doublings: int) -> list[int]:
    """Channels from the smallest size to the largest: `width` at the first, half of it at all others."""
    return [width, *[width // 2] * doublings]


class Generator(nn.Module):
    """z (N, latent_dim)[, labels (N,)] -> images (N, *shape) float32 in [0, 1]. `width`: channels at the smallest size."""

    def __init__(self, latent_dim: int = 32, width: int = 64, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> None:
        super().__init__()
        channels, self.base, doublings = upsampling_plan(shape)
        widths = _widths(width, doublings)
        self.latent_dim = latent_dim
        self.dense = nn.Linear(latent_dim, self.base**2 * width)
        # Each class adds a learned vector to the first layer, as if its one-hot vector were appended to z.
        self.embedding = nn.Embedding(classes, self.base**2 * width) if classes else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.02)
        self.blocks = nn.ModuleList(Block(size) for size in widths)
        self.change = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(widths))  # of the number of channels
        self.head = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = self.dense(z)
        if self.embedding is not None:
            x = x + self.embedding(require_labels(labels))
        x = x.view(len(z), self.base, self.base, -1).permute(0, 3, 1, 2)  # (N, 64, 7, 7), for 28x28
        x = self.blocks[0](x)
        for change, block in zip(self.change, self.blocks[1:], strict=True):
            # Channels change before the size does: at the smaller size that costs a quarter.
            x = block(F.interpolate(change(x), scale_factor=2, mode="bilinear"))  # (N, 32, 14, 14), (N, 32, 28, 28)
        return torch.sigmoid(upcast(self.head(F.leaky_relu(x, 0.2))))  # (N, 1, 28, 28)


class Discriminator(nn.Module):
    """(N, *shape)[, labels (N,)] -> logits (N,) float32: the generator in reverse order."""

    def __init__(self, width: int = 64, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> None:
        super().__init__()
        channels, base, doublings = upsampling_plan(shape)
        widths = _widths(width, doublings)[::-1]
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(Block(size) for size in widths)
        self.change = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(widths))
        self.dense = nn.Linear(width * base**2, 1)
        self.projection = Projection(classes, self.dense.in_features) if classes else None

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = self.blocks[0](self.first(x * 2 - 1))  # (N, 32, 28, 28); input from [0, 1] to [-1, 1]
        for change, block in zip(self.change, self.blocks[1:], strict=True):
            x = block(change(F.avg_pool2d(x, 2)))  # (N, 32, 14, 14), (N, 64, 7, 7)
        features = F.leaky_relu(x, 0.2).flatten(1)
        logits = upcast(self.dense(features).squeeze(1))  # (N,)
        return logits if self.projection is None else logits + self.projection(features, labels)


def fixup_(network: nn.Module) -> nn.Module:
    """He's initial weights, in blocks scaled by L^(-1/4) for L blocks, their last layer 0 [1901.09321]; returns the network.

    Biases are 0. Without normalisation activations would grow with depth; this keeps them from doing so at the start.
    """
    blocks = [m for m in network.modules() if isinstance(m, Block)]
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for block in blocks:
            block.enter.weight.mul_(len(blocks) ** -0.25)
            block.middle.weight.mul_(len(blocks) ** -0.25)
            block.leave.weight.zero_()
    return network


def build(latent_dim: int = 32, shape: tuple[int, ...] = (1, 28, 28), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator). Raises ValueError for an unsupported shape."""
    return fixup_(Generator(latent_dim, shape=shape, classes=classes)), fixup_(Discriminator(shape=shape, classes=classes))
