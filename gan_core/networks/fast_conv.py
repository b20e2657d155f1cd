"""Two convolutions with a cheaper form for processors, and the switch between that form and the library's.

Both forms have the same parameters and the same result, gradients included, to rounding. `upsample` holds the algebra of one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import nn

from ..losses.precision import upcast
from .upsample import fast_upsample_conv

_rewrites: ContextVar[bool] = ContextVar("rewrites", default=True)


@contextlib.contextmanager
def rewrites(on: bool) -> Iterator[None]:
    """Inside the block, the two convolutions below take their cheap form (`on`) or the library's."""
    token = _rewrites.set(on)
    try:
        yield
    finally:
        _rewrites.reset(token)


def upsample_conv(x: torch.Tensor, conv: nn.Conv2d, relu: bool = False) -> torch.Tensor:
    """`conv(upsample(x))`, upsampling x2 by nearest neighbour, for a 3x3 convolution with padding 1: (N, C, 2H, 2W).

    With `relu`, its positive part. The cheap form needs 9 products for each input pixel instead of 36, see `upsample`.
    """
    if _rewrites.get():
        return fast_upsample_conv(x, conv, relu)
    y = conv(F.interpolate(x, scale_factor=2))
    return F.relu(y) if relu else y


def single_channel_conv(x: torch.Tensor, conv: nn.Conv2d) -> torch.Tensor:
    """`conv(x)` for many channels in, one out, stride 1, zero padding that keeps the size: (N, 1, H, W) float32.

    A library's convolution is inefficient for a single output channel. In the cheap form one matrix product gives the term that
    each pixel adds to each of its neighbours, and `fold` sums the k*k shifted pictures in float32.
    """
    if not _rewrites.get():
        return upcast(conv(x))
    assert conv.bias is not None
    size = conv.kernel_size[0]
    kernel = conv.weight.flip(2, 3)[0].flatten(1).T[:, :, None, None]  # (k*k, C, 1, 1)
    parts = upcast(F.conv2d(x, kernel).flatten(2))  # (N, k*k, H*W)
    return F.fold(parts, x.shape[2:], size, padding=size // 2) + conv.bias
