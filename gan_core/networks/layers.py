"""Layers that torch lacks: reproducible dropout, batch norm across processes, class-conditional layers; Keras' initial weights.

For reproducible masks set `Dropout.generator` before each forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from ..losses.precision import upcast


class Dropout(nn.Module):
    """Zeroes each value with probability `p` in [0, 1) and scales the rest by 1/(1 - p); in eval mode it does nothing.

    The source of the mask is `draw`, if it is set: draw(*shape) returns U(0, 1) numbers; else `generator`, if it is set, on the
    generator's device; else torch's global generator. With either of the first two, a run's masks depend on nothing else.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p is {p!r}; give a number from 0 to just below 1.")
        self.p = p
        self.generator: torch.Generator | None = None
        self.draw: Callable[..., torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x of any shape -> the same shape and type."""
        if not self.training or self.p == 0:
            return x
        if self.draw is not None:
            mask = self.draw(*x.shape) >= self.p
        else:
            device = x.device if self.generator is None else self.generator.device
            mask = torch.rand(x.shape, generator=self.generator, device=device) >= self.p
        return x * mask.to(x.device, x.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


SIZES = {28: (7, 2), 32: (8, 2), 64: (8, 3)}  # side of the picture: side at the smallest size, doublings up to it


def upsampling_plan(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, side at the smallest size, doublings) of pictures (C, H, W). Raises ValueError for others."""
    if len(shape) != 3 or shape[0] not in (1, 3) or shape[1] != shape[2] or shape[1] not in SIZES:
        raise ValueError(f"the shape is {tuple(shape)}; give (1 or 3, side, side), side one of {', '.join(map(str, SIZES))}.")
    return shape[0], *SIZES[shape[1]]


def require_labels(labels: torch.Tensor | None) -> torch.Tensor:
    """The labels; ValueError if there are none."""
    if labels is None:
        raise ValueError("these networks are conditional: give a label for each picture.")
    return labels


class BatchNorm2d(nn.BatchNorm2d):
    """torch's batch norm, with statistics over a batch that several processes share.

    If `all_gather` is set, training uses the mean and variance of the rows of all processes; all_gather(values (k,)) ->
    (processes, k). torch's SyncBatchNorm does this on CUDA only. In eval mode, and without `all_gather`, this is torch's layer.
    """

    all_gather: Callable[[torch.Tensor], torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.all_gather is None or not self.training:
            return super().forward(x)
        y, mean, variance = _GlobalBatchNorm.apply(x, self.weight, self.bias, self.eps, self.all_gather)
        if self.track_running_stats:  # switched off for a while by callers that freeze the statistics
            mean_buffer, variance_buffer, count = self.running_mean, self.running_var, self.num_batches_tracked
            assert mean_buffer is not None and variance_buffer is not None and count is not None
            with torch.no_grad():
                count.add_(1)
                share = 1 / float(count) if self.momentum is None else self.momentum
                mean_buffer.lerp_(mean.to(mean_buffer.dtype), share)
                variance_buffer.lerp_(variance.to(variance_buffer.dtype), share)
        return y


class _GlobalBatchNorm(torch.autograd.Function):
    """Batch norm of x (N / processes, C, H, W) by the moments of all N rows: (y, mean (C,), unbiased variance (C,)).

    Shards have equal size, so the batch's mean is the mean of means, and one all-gather in each direction suffices. Gradients of
    weight and bias are those of this process's rows, to be averaged like all others.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float,
                all_gather: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        local = upcast(x)
        moments = all_gather(torch.cat(torch.var_mean(local, (0, 2, 3), correction=0)))  # (processes, 2C)
        variances, means = moments.chunk(2, 1)
        count = len(moments) * x.numel() // x.shape[1]
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        ctx.all_gather = all_gather
        unbiased = variance * count / (count - 1)
        ctx.mark_non_differentiable(mean, unbiased)
        return F.batch_norm(local, mean, variance, weight, bias, eps=eps).to(x.dtype), mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        gradient = upcast(gradient)
        normalised = (upcast(x) - mean[:, None, None]) * scale[:, None, None]
        grad_weight, grad_bias = (gradient * normalised).sum((0, 2, 3)), gradient.sum((0, 2, 3))  # (C,), (C,)
        means = ctx.all_gather(torch.cat((grad_weight, grad_bias))).mean(0) * x.shape[1] / x.numel()  # (2C,)
        mean_weight, mean_bias = (part[:, None, None] for part in means.chunk(2))
        grad_x = (gradient - mean_bias - normalised * mean_weight) * (scale if weight is None else scale * weight)[:, None, None]
        return grad_x.to(x.dtype), *((None, None) if weight is None else (grad_weight, grad_bias)), None, None


class ClassBatchNorm(nn.Module):
    """Batch norm with a scale and shift for each class [1707.00683]: x (N, C, H, W), labels (N,) int64 -> (N, C, H, W)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        scale, shift = (table(require_labels(labels))[:, :, None, None] for table in (self.scale, self.shift))
        return self.norm(x) * scale + shift


class Projection(nn.Module):
    """<V_y, features>: the term that class y adds to a logit [1802.05637 eq. 5].

    features (N, d), labels (N,) int64 -> (N,) float32.
    """

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.classes = nn.Embedding(classes, size)
        nn.init.normal_(self.classes.weight, 0.0, 0.02)

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return (self.classes(require_labels(labels)) * upcast(features)).sum(1)


def glorot_(module: nn.Module) -> nn.Module:
    """Keras' initial weights for every dense and convolutional layer inside, in place; returns the module.

    Weights U(-a, a) with a = sqrt(6 / (fan_in + fan_out)), a kernel's area counting in both fans (Glorot & Bengio 2010);
    biases 0. Draws from torch's global generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
