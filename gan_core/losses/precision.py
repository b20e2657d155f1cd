"""How fine the numbers of a loss are: at least float32, whatever the products were computed in."""

from __future__ import annotations

import torch


def upcast(x: torch.Tensor) -> torch.Tensor:
    """Half precision as float32; float32 and float64 as they are: who trains in float64, to compare, means it."""
    return x if x.dtype == torch.float64 else x.float()
