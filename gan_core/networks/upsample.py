"""`relu(conv(upsample(x)))` with a quarter of the products: nearest-neighbour upsampling makes most of them equal.

`fast_conv` decides when it is used. Exact but for rounding; see `FastUpsampleConv` for the algebra.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

CHUNK = 850_000  # input values a chunk, so that all intermediate values stay in the processor's cache
# Rows: w0 + w1 + w2 multiplies x, -w0 multiplies x - its left neighbour, w2 multiplies its right neighbour - x.
TERMS = ((1.0, 1.0, 1.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def fast_upsample_conv(x: torch.Tensor, conv: nn.Conv2d, relu: bool) -> torch.Tensor:
    """x (N, C, H, W) -> (N, out, 2H, 2W), channels_last, for a 3x3 convolution with padding 1, in autocast's type if on."""
    assert conv.bias is not None
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    terms = torch.tensor(TERMS, dtype=conv.weight.dtype, device=x.device)
    with torch.autocast(device, enabled=False):
        kernels = torch.einsum("ocyx,py,qx->pqoc", conv.weight, terms, terms).to(dtype)
    return FastUpsampleConv.apply(x.to(dtype), kernels, conv.bias.to(dtype), relu)


class FastUpsampleConv(torch.autograd.Function):
    """Nine matrix products for each input pixel; the plain form makes 36, four phases of 2x2 make 16.

    In one dimension, with s = w0 + w1 + w2, the two outputs over x_i are  w0 x_(i-1) + (w1 + w2) x_i = s x_i - w0 (x_i - x_(i-1))
    and  (w0 + w1) x_i + w2 x_(i+1) = s x_i + w2 (x_(i+1) - x_i): three products instead of six. In two dimensions 3 x 3.
    This is Winograd's idea [1509.09308] for a filter that meets each pixel twice. In bf16 the error is about twice as large.

    x (N, C, H, W), kernels (3, 3, out, C), bias (out,), all of one type. Differentiable once.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor, relu: bool) -> torch.Tensor:
        n, _, h, w = x.shape
        y = torch.empty(n, kernels.shape[2], 2 * h, 2 * w, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        size = _chunk(x)
        for part, out in zip(_rows(x).split(size), _rows(y).split(size), strict=True):
            terms = _terms(part)
            shared = _product(terms[0][0], kernels[0, 0], bias)  # for all four outputs of a pixel
            columns = [_product(terms[0][1 + b], kernels[0, 1 + b]).add_(shared) for b in (0, 1)]  # for those of one column
            for a in (0, 1):
                row = _product(terms[1 + a][0], kernels[1 + a, 0])
                for b in (0, 1):
                    output = _product(terms[1 + a][1 + b], kernels[1 + a, 1 + b]).add_(row)
                    torch.add(output, columns[b], out=out[:, a::2, b::2])
            if relu:
                out.relu_()
        ctx.relu = relu
        ctx.save_for_backward(x, kernels, y if relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor, None]:
        x, kernels, y = ctx.saved_tensors
        grad_x = torch.empty_like(x, memory_format=torch.channels_last) if ctx.needs_input_grad[0] else None
        exact = torch.promote_types(x.dtype, torch.float32)
        grad_kernels = torch.zeros(kernels.shape, dtype=exact, device=x.device)
        grad_bias = torch.zeros(kernels.shape[2], dtype=exact, device=x.device)
        size = _chunk(x)
        for start in range(0, len(x), size):
            at = slice(start, start + size)
            phases = [[_relu_gradient(gradient[at], None if y is None else y[at], a, b) for b in (0, 1)] for a in (0, 1)]
            # The outputs that each of the nine products is for: all four, the two of a row or column, or one.
            rows = [[left + right, left, right] for left, right in phases]
            sums = [[top + bottom for top, bottom in zip(*rows, strict=True)], *rows]
            grad_bias += sums[0][0].sum((0, 1, 2), dtype=exact)
            terms, back = _terms(_rows(x)[at]), []
            for p in range(3):
                grads = []
                for q in range(3):
                    d_term, d_kernel, _ = torch.ops.aten.convolution_backward(
                        sums[p][q].permute(0, 3, 1, 2), terms[p][q].permute(0, 3, 1, 2), kernels[p, q, :, :, None, None],
                        None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [grad_x is not None, True, False])
                    grad_kernels[p, q] += d_kernel[:, :, 0, 0]
                    if grad_x is not None:
                        grads.append(_rows(d_term))
                if grad_x is not None:
                    back.append(_differences_transposed(grads, 2))
            if grad_x is not None:
                _rows(grad_x)[at] = _differences_transposed(back, 1)
        return grad_x, grad_kernels.to(kernels.dtype), grad_bias.to(kernels.dtype), None


def _chunk(x: torch.Tensor) -> int:
    """Images a chunk, so that all chunks have about the same size."""
    return math.ceil(len(x) / math.ceil(x.numel() / CHUNK))


def _rows(x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) as a view (N, H, W, C), the order of channels_last in memory."""
    return x.permute(0, 2, 3, 1)


def _relu_gradient(gradient: torch.Tensor, y: torch.Tensor | None, a: int, b: int) -> torch.Tensor:
    """The gradient of every second row and column, (N, H, W, out), where ReLU's result y is positive."""
    part = _rows(gradient)[:, a::2, b::2]
    return part.contiguous() if y is None else torch.ops.aten.threshold_backward(part, _rows(y)[:, a::2, b::2], 0)


def _product(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x (N, H, W, C) times kernel (out, C). As a 1x1 convolution, which is far faster in float32 on some processors."""
    return _rows(F.conv2d(x.permute(0, 3, 1, 2), kernel[:, :, None, None], bias))


def _terms(x: torch.Tensor) -> list[list[torch.Tensor]]:
    """x (N, H, W, C) and its differences down (first index) and across (second)."""
    return [_differences(row, 2) for row in _differences(x, 1)]


def _differences(x: torch.Tensor, dim: int) -> list[torch.Tensor]:
    """[x_i, x_i - x_(i-1), x_(i+1) - x_i], with zeros beyond the edge."""
    last = x.shape[dim] - 1
    before, after = torch.empty_like(x), torch.empty_like(x)
    torch.sub(x.narrow(dim, 1, last), x.narrow(dim, 0, last), out=before.narrow(dim, 1, last))
    before.select(dim, 0).copy_(x.select(dim, 0))
    after.narrow(dim, 0, last).copy_(before.narrow(dim, 1, last))
    torch.neg(x.select(dim, last), out=after.select(dim, last))
    return [x, before, after]


def _differences_transposed(parts: list[torch.Tensor], dim: int) -> torch.Tensor:
    """The transpose of `_differences`: gradients of its three results -> the gradient of x."""
    same, before, after = parts
    last = same.shape[dim] - 1
    total = same + before
    total.sub_(after)
    total.narrow(dim, 0, last).sub_(before.narrow(dim, 1, last))
    total.narrow(dim, 1, last).add_(after.narrow(dim, 0, last))
    return total
