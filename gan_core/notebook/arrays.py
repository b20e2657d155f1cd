"""Pictures as notebooks hold them, as the uint8 (N, C, H, W) that a `Trainer` takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..training import pixel_range

SHAPE = (1, 28, 28)


def as_images(x: Any, shape: tuple[int, int, int] = SHAPE, signed: bool = False) -> torch.Tensor:
    """uint8 (N, C, H, W), of `shape` (C, H, W), from arrays or tensors of any library.

    x: (N, H, W, C), (N, C, H, W) or, of grey pictures, (N, H, W), uint8 or float in [0, 1], which is rounded to 256 levels. With
    `signed`, of a generator that makes [-1, 1], floats with any below 0 are taken to lie there. ValueError for anything else.
    """
    channels, height, width = shape
    forms = [(height, width, channels), shape, *([(height, width)] if channels == 1 else [])]
    allowed = "give " + " or ".join(f"(N, {', '.join(map(str, form))})" for form in forms)
    try:
        x = x.detach().cpu() if isinstance(x, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(x))
    except (TypeError, ValueError) as error:
        raise ValueError(f"images cannot be read from {type(x).__name__}; {allowed} numbers.") from error
    if not x.ndim or not len(x) or tuple(x.shape[1:]) not in forms:
        raise ValueError(f"images have the shape {tuple(x.shape)}; {allowed}, with N at least 1.")
    if tuple(x.shape[1:]) != shape:
        x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)
    if x.dtype == torch.uint8:
        return x.contiguous()
    ranges = "floats in [0, 1] or [-1, 1]" if signed else "floats in [0, 1]"
    if not x.is_floating_point():
        raise ValueError(f"images have the type {x.dtype}; give {ranges}, or uint8.")
    if not x.isfinite().all():
        raise ValueError(f"images hold a NaN or an infinite number; give {ranges}, or uint8.")
    low, high = (v.item() for v in x.float().aminmax())
    if low < (-1 if signed else 0) or high > 1:
        raise ValueError(f"images lie between {low:g} and {high:g}; give {ranges} (0..255 as uint8, or divided by 255).")
    return pixel_range.to_uint8((x.float() + 1) / 2 if low < 0 else x).contiguous()
