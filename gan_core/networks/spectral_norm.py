"""Spectral norm for discriminators [1802.05957], whose estimate changes only when `power_iterate_` is called."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize


class SpectralNorm(nn.Module):
    """A weight W divided by its largest singular value [1802.05957], estimated as u^T W v; for torch's parametrize.

    torch's version updates u and v at every forward pass in training mode, also in the generator's step and in a second pass for
    a penalty, and never in evaluation mode. Here only `power_iterate_` updates them, so that D stays one function between calls.
    """

    u: torch.Tensor  # left singular vector (rows,)
    v: torch.Tensor  # right singular vector (columns,)

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        # Exact at first, and without a random draw.
        left, _, right = torch.linalg.svd(weight.detach().float().flatten(1), full_matrices=False)
        self.register_buffer("u", left[:, 0].clone())
        self.register_buffer("v", right[0].clone())

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        # A sum of products, because autocast would compute a matrix product in bf16.
        return weight / (self.u[:, None] * weight.flatten(1) * self.v).sum()

    @torch.no_grad()
    def iterate(self, weight: torch.Tensor) -> None:
        """One power iteration towards the leading singular vectors of `weight`."""
        matrix = weight.flatten(1)
        with torch.autocast(weight.device.type, enabled=False):
            self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))
            self.u.copy_(F.normalize(matrix @ self.v, dim=0))


def spectral_norm_(network: nn.Module) -> nn.Module:
    """Spectral norm on every dense, convolutional and embedding layer inside, in place; returns the network.

    Call `power_iterate_(network)` before each update of the network. The estimate is part of the network's state.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding) and not parametrize.is_parametrized(layer):
            if not layer.weight.any():  # a zero matrix has no singular direction, so a residual block's last layer gets weights
                nn.init.kaiming_normal_(layer.weight, a=0.2)
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return network


def power_iterate_(network: nn.Module) -> None:
    """One power iteration of every spectral norm inside; does nothing without any."""
    for weight in network.modules():
        if isinstance(weight, parametrize.ParametrizationList):
            for norm in weight:
                if isinstance(norm, SpectralNorm):
                    norm.iterate(weight.original)


def state_without_spectral_norm(network: nn.Module) -> dict[str, torch.Tensor]:
    """State of the same function without spectral norm, for evaluation: divided weights under their usual names."""
    state = network.state_dict()
    for prefix, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            start = f"{prefix}." if prefix else ""
            inside = f"{start}parametrizations."
            state = {name: value for name, value in state.items() if not name.startswith(inside)}
            weight = layer.weight
            assert isinstance(weight, torch.Tensor)
            state[f"{start}weight"] = weight.detach()
    return state
