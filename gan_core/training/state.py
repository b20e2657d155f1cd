"""All tensors of a trainer by name: G., D., G_ema. and Adam's moments as opt_G., opt_D.; a checkpoint stores nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from .setup import ADAM_STATE

State = dict[str, torch.Tensor]


def named_tensors(networks: dict[str, nn.Module], optimizers: dict[str, torch.optim.Adam]) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) of networks by their prefix, then of optimizers by that of the network they belong to: opt_G for G."""
    for prefix, network in networks.items():
        for name, tensor in network.state_dict().items():
            yield f"{prefix}.{name}", tensor
    for prefix, optimizer in optimizers.items():
        for name, parameter in networks[prefix].named_parameters():
            for moment in ADAM_STATE:
                yield f"opt_{prefix}.{name}.{moment}", optimizer.state[parameter][moment]


def check_state(state: State, expected: State) -> None:
    """Raises ValueError, one sentence, where names, shapes or types differ."""
    if set(expected) != set(state):
        name = sorted(set(expected) ^ set(state))[0]
        raise ValueError(f"this state is of another kind of training: {name!r} is on one side only.")
    for name, tensor in expected.items():
        other = state[name]
        if (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            raise ValueError(f"{name} is {tuple(other.shape)} {other.dtype}; here it is {tuple(tensor.shape)} {tensor.dtype}.")
