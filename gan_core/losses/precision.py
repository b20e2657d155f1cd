"""The number format of losses: at least float32, whatever format the networks computed in."""

from __future__ import annotations

import torch


def upcast(x: torch.Tensor) -> torch.Tensor:
    """Half precision to float32; float32 and float64 unchanged, so that tests can compare in float64."""
    return x if x.dtype == torch.float64 else x.float()
