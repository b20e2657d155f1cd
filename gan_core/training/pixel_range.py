"""Pictures between their ranges: uint8 on disk, [0, 1] inside the networks. No other file converts them."""

from __future__ import annotations

import torch

from ..data.rendering import grid, png

__all__ = ["grid", "png", "to_uint8", "to_unit"]


def to_unit(images: torch.Tensor) -> torch.Tensor:
    """uint8 0..255 to float32 in [0, 1], same shape."""
    return images.float().div_(255.0)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """[0, 1] to uint8 0..255, rounded; values outside are clipped, NaN becomes black."""
    return images.detach().float().nan_to_num(0.0).mul_(255.0).round_().clamp_(0, 255).to(torch.uint8)
