"""What torch lacks: dropout with its own randomness, layers that know a class, spectral norm, fast convolutions, Keras' weights.

It knows no network; who wants reproducible masks sets `Dropout.generator` before each forward pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.utils import parametrize

from ..losses.precision import upcast
from ..messages import Misfit
from .upsample import fast_upsample_conv


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


class SpectralNorm(nn.Module):
    """A weight W divided by its largest singular value [1802.05957], estimated as u^T W v; for torch's parametrize.

    torch's own moves u and v at every forward pass in training mode, the generator's step and a second look for a penalty
    included, and never in evaluation mode. Here they move when `power_iterate_` is called, so that D is one function until then.
    """

    u: torch.Tensor  # left singular vector (rows,)
    v: torch.Tensor  # right singular vector (columns,)

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        # Exact to begin with, and without a random draw.
        left, _, right = torch.linalg.svd(weight.detach().float().flatten(1), full_matrices=False)
        self.register_buffer("u", left[:, 0].clone())
        self.register_buffer("v", right[0].clone())

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        # A sum of products, not a matrix product: autocast would take that one in bf16.
        return weight / (self.u[:, None] * weight.flatten(1) * self.v).sum()

    @torch.no_grad()
    def iterate(self, weight: torch.Tensor) -> None:
        """One round of power iteration towards the leading singular vectors of `weight` as it is now."""
        matrix = weight.flatten(1)
        with torch.autocast(weight.device.type, enabled=False):
            self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))
            self.u.copy_(F.normalize(matrix @ self.v, dim=0))


def spectral_norm_(network: nn.Module) -> nn.Module:
    """Spectral norm on every dense, convolutional and embedding layer inside, in place; returns the network.

    Call `power_iterate_(network)` before each update of the network; nothing else moves the estimate, which is part of its state.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding) and not parametrize.is_parametrized(layer):
            if not layer.weight.any():  # what is zero has no direction: a residual block's last layer is given one
                nn.init.kaiming_normal_(layer.weight, a=0.2)
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return network


def power_iterate_(network: nn.Module) -> None:
    """One power iteration of every spectral norm inside; a network without any is left alone."""
    for weight in network.modules():
        if isinstance(weight, parametrize.ParametrizationList):
            for norm in weight:
                if isinstance(norm, SpectralNorm):
                    norm.iterate(weight.original)


def state_without_spectral_norm(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state of the same function without spectral norm: divided weights under their usual names, for who only evaluates."""
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


_rewrites: ContextVar[bool] = ContextVar("rewrites", default=True)


@contextlib.contextmanager
def rewrites(on: bool) -> Iterator[None]:
    """While it lasts, the two convolutions below are computed in their cheap form, or as the library has them."""
    before = _rewrites.set(on)
    try:
        yield
    finally:
        _rewrites.reset(before)


def upsample_conv(x: torch.Tensor, conv: nn.Conv2d, relu: bool = False) -> torch.Tensor:
    """`conv(upsample(x))`, upsampling x2 by nearest neighbour, for a 3x3 convolution with padding 1: (N, C, 2H, 2W).

    With `relu`, its positive part. In the cheap form 9 products for each input pixel in place of 36, see `upsample`. Same
    parameters, same result to rounding, gradients included.
    """
    if _rewrites.get():
        return fast_upsample_conv(x, conv, relu)
    y = conv(F.interpolate(x, scale_factor=2))
    return F.relu(y) if relu else y


def single_channel_conv(x: torch.Tensor, conv: nn.Conv2d) -> torch.Tensor:
    """`conv(x)` for many channels in, one out, stride 1, zero padding that keeps the size: (N, 1, H, W) float32.

    A library's convolution wastes itself on a single output channel. In the cheap form one matrix product gives what each pixel
    adds to its neighbours, and `fold` adds the k*k shifted pictures up, in float32. Same parameters, same result to rounding.
    """
    if not _rewrites.get():
        return upcast(conv(x))
    assert conv.bias is not None
    size = conv.kernel_size[0]
    kernel = conv.weight.flip(2, 3)[0].flatten(1).T[:, :, None, None]  # (k*k, C, 1, 1)
    parts = upcast(F.conv2d(x, kernel).flatten(2))  # (N, k*k, H*W)
    return F.fold(parts, x.shape[2:], size, padding=size // 2) + conv.bias


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
