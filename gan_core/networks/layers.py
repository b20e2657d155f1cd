"""What torch lacks: dropout with its own randomness, layers that know a class, spectral norm, fast convolutions, Keras' weights.

It knows no network; who wants reproducible masks sets `Dropout.generator` before each forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

from ..losses.precision import upcast
from ..messages import Misfit


class Dropout(nn.Module):
    """Zeroes each value with probability `p` in [0, 1) and scales the rest by 1/(1 - p); in eval mode it does nothing.

    While `generator` is set the mask comes from it, on the generator's own device, so that a run's masks depend on
    nothing else; while `draw` is set, from U(0, 1) numbers that draw(*shape) returns. Otherwise from torch's global generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p is {p!r}; give a number from 0 to just below 1.")
        self.p = p
        self.generator: torch.Generator | None = None
        self.draw: Callable[..., torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x of any shape; the same shape and type."""
        if not self.training or self.p == 0:
            return x
        if self.draw is not None:
            kept = self.draw(*x.shape) >= self.p
        else:
            device = x.device if self.generator is None else self.generator.device
            kept = torch.rand(x.shape, generator=self.generator, device=device) >= self.p
        return x * kept.to(x.device, x.dtype).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


SIZES = {28: (7, 2), 32: (8, 2), 64: (8, 3)}  # side of the picture: side at the smallest size, doublings up to it


def upsampling_plan(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, side at the smallest size, doublings) of pictures (C, H, W). Raises ValueError, a sentence, for others."""
    if len(shape) != 3 or shape[0] not in (1, 3) or shape[1] != shape[2] or shape[1] not in SIZES:
        raise Misfit("misfit_size", sides=list(SIZES), shape=str(tuple(shape)))
    return shape[0], *SIZES[shape[1]]


def require_labels(labels: torch.Tensor | None) -> torch.Tensor:
    """The labels, or ValueError where a conditional network got none."""
    if labels is None:
        raise ValueError("these networks are conditional: give a label for each picture.")
    return labels


class BatchNorm2d(nn.BatchNorm2d):
    """torch's batch norm, which can have the statistics of a batch that several processes share.

    While `all_gather` is set, training uses the mean and variance of all their rows; gathered(values (k,)) -> (processes, k).
    torch's own SyncBatchNorm does it on CUDA alone. In eval mode, and without it, this is torch's layer.
    """

    all_gather: Callable[[torch.Tensor], torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.all_gather is None or not self.training:
            return super().forward(x)
        y, mean, variance = _NormOverAll.apply(x, self.weight, self.bias, self.eps, self.all_gather)
        mean_buffer, variance_buffer, count = self.running_mean, self.running_var, self.num_batches_tracked
        if mean_buffer is not None and variance_buffer is not None and count is not None:
            with torch.no_grad():
                count.add_(1)
                share = 1 / float(count) if self.momentum is None else self.momentum
                mean_buffer.lerp_(mean.to(mean_buffer.dtype), share)
                variance_buffer.lerp_(variance.to(variance_buffer.dtype), share)
        return y


class _NormOverAll(torch.autograd.Function):
    """Batch norm of x (N / processes, C, H, W) by the moments of all N rows: (y, mean (C,), unbiased variance (C,)).

    Shares are of equal size, so the batch's mean is the mean of means, and one exchange each way is enough. Gradients of weight
    and bias are of this process's rows, to be averaged as all others are.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float,
                all_gather: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        own = upcast(x)
        rows = all_gather(torch.cat(torch.var_mean(own, (0, 2, 3), correction=0)))
        variances, means = rows.chunk(2, 1)
        count = len(rows) * x.numel() // x.shape[1]
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        ctx.all_gather = all_gather
        unbiased = variance * count / (count - 1)
        ctx.mark_non_differentiable(mean, unbiased)
        return F.batch_norm(own, mean, variance, weight, bias, eps=eps).to(x.dtype), mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        gradient = upcast(gradient)
        normal = (upcast(x) - mean[:, None, None]) * scale[:, None, None]
        along = (gradient * normal).sum((0, 2, 3)), gradient.sum((0, 2, 3))
        both = ctx.all_gather(torch.cat(along)).mean(0) * x.shape[1] / x.numel()
        of_normal, of_ones = (part[:, None, None] for part in both.chunk(2))
        back = (gradient - of_ones - normal * of_normal) * (scale if weight is None else scale * weight)[:, None, None]
        return back.to(x.dtype), *((None, None) if weight is None else along), None, None


class ClassBatchNorm(nn.Module):
    """Batch norm whose scale and shift are the class's own [1707.00683]: x (N, C, H, W), labels (N,) int64 -> (N, C, H, W)."""

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
    """<V_y, features>: what the class y adds to a logit [1802.05637 eq. 5].

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

    Weights U(-a, a) with a = sqrt(6 / (fan_in + fan_out)), a kernel's area counting into both fans (Glorot & Bengio
    2010); biases zero. Draws from torch's global generator.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
