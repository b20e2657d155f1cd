"""Two small multilayer perceptrons for points in the plane, centred and scaled to standard deviation 1.

They know no data and no loss; three hidden layers of 128 are enough to place 25 narrow modes, and small enough for one core.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, SLOPE = 128, 0.2


class MLP(nn.Module):
    """(N, inputs) -> (N, outputs) float32, or (N,) for one output: three hidden layers, leaky ReLU, no normalisation."""

    def __init__(self, inputs: int, outputs: int, width: int = WIDTH) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(inputs, width)
        self.hidden2 = nn.Linear(width, width)
        self.hidden3 = nn.Linear(width, width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.hidden1, self.hidden2, self.hidden3):
            x = F.leaky_relu(layer(x), SLOPE)  # (N, 128)
        x = self.head(x).float()  # (N, outputs)
        return x.squeeze(1) if self.head.out_features == 1 else x


def build(latent_dim: int = 2, shape: tuple[int, ...] = (2,), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator), as the registry wants them: z (N, latent_dim) -> points (N, 2) -> logits (N,).

    Raises ValueError, a sentence, for anything but points of two coordinates, and for classes.
    """
    if tuple(shape) != (2,):
        raise ValueError(f"the networks 'mlp' make points of shape (2,), not {tuple(shape)}; choose other networks for pictures.")
    if classes:
        raise ValueError("the networks 'mlp' know no classes; set condition to 'none'.")
    return MLP(latent_dim, 2), MLP(2, 1)
