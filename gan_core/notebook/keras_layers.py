"""Keras layers as torch modules, a function for each: same outputs, and weights that go back and forth.

Pictures are NHWC in Keras and NCHW here; of any other order only Flatten, Reshape and Dense can tell. Nothing here imports Keras:
a layer is known by its class's name and its `get_config()`, both public.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..networks.layers import Dropout

Config = Mapping[str, Any]
Pair = tuple[int, int]


class UnsupportedLayer(ValueError):
    """A layer, or a setting of it, that has no torch form here; the message names it."""


def refuse(config: Config, kind: str, reason: str) -> UnsupportedLayer:
    return UnsupportedLayer(f"the layer {config['name']!r} ({kind}) {reason}")


# The modules. Each takes and gives (N, d) or (N, C, H, W).


class Function(nn.Module):
    """A function without weights, with the name of what it computes."""

    def __init__(self, function: Callable[..., torch.Tensor], name: str) -> None:
        super().__init__()
        self.function, self.name = function, name

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)

    def extra_repr(self) -> str:
        return self.name


class SamePadding(nn.Module):
    """Zeros so that windows of `size` at `stride` fit as often as Keras' "same" says: an odd one goes behind."""

    def __init__(self, size: Pair, stride: Pair, value: float = 0.0) -> None:
        super().__init__()
        self.size, self.stride, self.value = size, stride, value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for length, size, stride in zip(reversed(x.shape[2:]), reversed(self.size), reversed(self.stride), strict=True):
            total = max(0, (-(-length // stride) - 1) * stride + size - length)
            pads += [total // 2, total - total // 2]
        return F.pad(x, pads, value=self.value) if any(pads) else x

    def extra_repr(self) -> str:
        return f"{self.size}, {self.stride}"


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's layer with Keras' output: `crops` (before, behind) are cut from each axis of the full one, those below 0 added."""

    def __init__(self, inputs: int, outputs: int, size: Pair, stride: Pair, dilation: Pair, bias: bool, crops: tuple[Pair, Pair],
                 ) -> None:
        super().__init__(inputs, outputs, size, stride, dilation=dilation, bias=bias)
        self.both = [max(0, min(pair)) for pair in crops]  # what torch cuts itself, from both sides
        self.rest = [self.both[axis] - crop for axis in (1, 0) for crop in crops[axis]]  # as F.pad takes it: the last axis first

    def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        bias = None if max(self.rest) > 0 else self.bias
        y = F.conv_transpose2d(x, self.weight, bias, self.stride, self.both, 0, self.groups, self.dilation)
        y = F.pad(y, self.rest) if any(self.rest) else y
        return y if bias is self.bias or self.bias is None else y + self.bias[:, None, None]  # Keras' zeros have the bias too


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of (N, C) or (N, C, H, W) whose running variance is Keras': the batch's own, where torch's divides by n - 1."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.ndim not in (2, 4):
            raise ValueError(f"batch norm got {tuple(input.shape)}; give (N, C) or (N, C, H, W).")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not (self.training and self.track_running_stats):
            return super().forward(input)
        assert self.running_var is not None and self.momentum is not None
        variance, n = self.running_var.clone(), input.numel() // input.shape[1]  # a copy: backward needs what it was given
        output = F.batch_norm(input, self.running_mean, variance, self.weight, self.bias, True, self.momentum, self.eps)
        with torch.no_grad():
            kept = self.running_var * (1 - self.momentum)
            self.running_var.copy_(kept + (variance - kept) * ((n - 1) / n))
        return output


class Dense(nn.Linear):
    """Of (N, d), or of the channels of (N, C, H, W)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.ndim == 2:
            return super().forward(input)
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _flatten(x: torch.Tensor) -> torch.Tensor:
    """In Keras' order: height, width, channels."""
    return x if x.ndim == 2 else x.permute(0, 2, 3, 1).flatten(1)


def _reshape(target: tuple[int, ...], x: torch.Tensor) -> torch.Tensor:
    flat = _flatten(x)
    return flat.view(len(x), *target).permute(0, 3, 1, 2) if len(target) == 3 else flat.view(len(x), *target)


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu, "relu6": F.relu6, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "elu": F.elu, "selu": F.selu,
    "gelu": F.gelu, "silu": F.silu, "swish": F.silu, "softplus": F.softplus, "softsign": F.softsign, "mish": F.mish,
    "exponential": torch.exp, "hard_sigmoid": F.hardsigmoid, "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
}


# One function a class of layers: its config and weights -> the module, without its activation.


def _dense(config: Config, weights: list[np.ndarray]) -> nn.Module:
    inputs, outputs = weights[0].shape
    return Dense(inputs, outputs, bias=config["use_bias"])


def _require_channels_last(config: Config, kind: str) -> None:
    if config.get("data_format", "channels_last") != "channels_last":
        raise refuse(config, kind, "has its channels first; build the model with data_format=\"channels_last\".")


def _window(config: Config, kind: str, size: str) -> tuple[Pair, Pair, str]:
    """(size, strides, padding) of a layer that slides a window over NHWC pictures."""
    _require_channels_last(config, kind)
    if config["padding"] not in ("same", "valid"):
        raise refuse(config, kind, f"has the padding {config['padding']!r}; give \"same\" or \"valid\".")
    return _pair(config[size]), _pair(config["strides"] or config[size]), config["padding"]


def _conv(config: Config, weights: list[np.ndarray]) -> nn.Module:
    size, strides, padding = _window(config, "Conv2D", "kernel_size")
    rates, groups = _pair(config["dilation_rate"]), config["groups"]
    inputs, outputs = weights[0].shape[2] * groups, weights[0].shape[3]
    high, wide = (size[0] - 1) * rates[0], (size[1] - 1) * rates[1]  # how far a window reaches beyond its first value
    evenly = padding == "same" and strides == (1, 1) and high % 2 == wide % 2 == 0
    pads = (high // 2, wide // 2) if evenly else (0, 0)
    conv = nn.Conv2d(inputs, outputs, size, strides, pads, rates, groups, bias=config["use_bias"])
    return conv if evenly or padding == "valid" else nn.Sequential(SamePadding((high + 1, wide + 1), strides), conv)


def _conv_transpose(config: Config, weights: list[np.ndarray]) -> nn.Module:
    size, strides, padding = _window(config, "Conv2DTranspose", "kernel_size")
    rates, (outputs, inputs) = _pair(config["dilation_rate"]), weights[0].shape[2:]
    more = config.get("output_padding")
    mores = (None, None) if more is None else _pair(more)
    high, wide = (_crops((size[axis] - 1) * rates[axis] + 1, strides[axis], padding, mores[axis]) for axis in (0, 1))
    return ConvTranspose2d(inputs, outputs, size, strides, rates, config["use_bias"], (high, wide))


def _crops(size: int, stride: int, padding: str, more: int | None) -> Pair:
    """What Keras' output lacks, before and behind, of the full one of (n - 1) * stride + size; below 0: zeros that it has more.

    "same" makes n * stride values, "valid" (n - 1) * stride + max(size, stride), each unless an `output_padding` says otherwise.
    """
    if padding == "valid":
        return 0, -(max(size, stride) - size if more is None else more)
    total = stride + size - 2 if more is None else size + size % 2 - 2 + more
    left = min(total - total // 2, size - 1)
    return size - 1 - left, size - 1 - (total - left)


def _batch_norm(config: Config, weights: list[np.ndarray]) -> nn.Module:
    axis = config["axis"]
    if axis not in (-1, 3) and [*np.atleast_1d(axis)] not in ([-1], [3]):
        raise refuse(config, "BatchNormalization", f"normalises over the axis {axis}; leave it at -1, the channels.")
    if config["scale"] != config["center"]:
        raise refuse(config, "BatchNormalization", "has only one of scale and center; leave both on, or turn both off.")
    return BatchNorm(len(weights[-1]), config["epsilon"], 1 - config["momentum"], config["scale"])


def _dropout(config: Config, weights: list[np.ndarray]) -> nn.Module:
    if config.get("noise_shape") is not None and any(side is not None for side in config["noise_shape"]):
        raise refuse(config, "Dropout", "has a noise_shape; leave it out.")
    return Dropout(config["rate"])


def _pooling(largest: bool) -> Callable[[Config, list[np.ndarray]], nn.Module]:
    def build(config: Config, weights: list[np.ndarray]) -> nn.Module:
        kind = "MaxPooling2D" if largest else "AveragePooling2D"
        size, strides, padding = _window(config, kind, "pool_size")
        if padding == "valid":
            return nn.MaxPool2d(size, strides) if largest else nn.AvgPool2d(size, strides)
        if not largest:
            raise refuse(config, kind, 'has the padding "same"; give "valid".')
        return nn.Sequential(SamePadding(size, strides, -torch.inf), nn.MaxPool2d(size, strides))
    return build


def _upsampling(config: Config, weights: list[np.ndarray]) -> nn.Module:
    _require_channels_last(config, "UpSampling2D")
    mode = config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise refuse(config, "UpSampling2D", f"has the interpolation {mode!r}; give nearest or bilinear.")
    return nn.Upsample(scale_factor=tuple(map(float, _pair(config["size"]))), mode=mode)


def _borders(kind: str, sign: int, field: str) -> Callable[[Config, list[np.ndarray]], nn.Module]:
    def build(config: Config, weights: list[np.ndarray]) -> nn.Module:
        _require_channels_last(config, kind)
        (top, bottom), (left, right) = config[field]
        pads = [sign * side for side in (left, right, top, bottom)]
        return Function(lambda x: F.pad(x, pads), f"{kind} {pads}")
    return build


def _leaky_relu(config: Config, weights: list[np.ndarray]) -> nn.Module:
    return nn.LeakyReLU(config["negative_slope"])


def _relu(config: Config, weights: list[np.ndarray]) -> nn.Module:
    slope, most, threshold = config["negative_slope"] or 0.0, config["max_value"], config["threshold"] or 0.0
    if threshold:
        raise refuse(config, "ReLU", "has a threshold; leave it at 0.")
    return Function(lambda x: F.leaky_relu(x, slope).clamp(max=torch.inf if most is None else most), f"relu {slope} {most}")


def _reshaping(config: Config, weights: list[np.ndarray]) -> nn.Module:
    target = tuple(config["target_shape"])
    if len(target) not in (1, 3):
        raise refuse(config, "Reshape", f"makes {target}; give (d,) or (height, width, channels).")
    return Function(lambda x: _reshape(target, x), f"reshape {target}")


def _rescaling(config: Config, weights: list[np.ndarray]) -> nn.Module:
    scale, offset = config["scale"], config["offset"]
    if not all(isinstance(value, int | float) for value in (scale, offset)):
        raise refuse(config, "Rescaling", "has a scale for each channel; give one number.")
    return Function(lambda x: x * scale + offset, f"rescale {scale} {offset}")


def _simple(function: Callable[..., torch.Tensor], name: str) -> Callable[[Config, list[np.ndarray]], nn.Module]:
    return lambda config, weights: Function(function, name)


def _concatenation(config: Config, weights: list[np.ndarray]) -> nn.Module:
    if config["axis"] not in (-1, 3):
        raise refuse(config, "Concatenate", f"joins along the axis {config['axis']}; give -1, the channels.")
    return Function(lambda *inputs: torch.cat(inputs, dim=1), "concatenate")


LAYERS: dict[str, Callable[[Config, list[np.ndarray]], nn.Module]] = {
    "Dense": _dense, "Conv2D": _conv, "Conv2DTranspose": _conv_transpose, "BatchNormalization": _batch_norm, "Dropout": _dropout,
    "LeakyReLU": _leaky_relu, "ReLU": _relu, "Reshape": _reshaping, "Flatten": _simple(_flatten, "flatten"),
    "UpSampling2D": _upsampling, "ZeroPadding2D": _borders("ZeroPadding2D", 1, "padding"),
    "Cropping2D": _borders("Cropping2D", -1, "cropping"), "MaxPooling2D": _pooling(True), "AveragePooling2D": _pooling(False),
    "GlobalAveragePooling2D": _simple(lambda x: x.mean((2, 3)), "global average"),
    "GlobalMaxPooling2D": _simple(lambda x: x.amax((2, 3)), "global maximum"), "Rescaling": _rescaling,
    "ELU": lambda config, weights: nn.ELU(config["alpha"]), "Concatenate": _concatenation,
    "Add": _simple(lambda *inputs: sum(inputs[1:], inputs[0]), "add"),
    "Activation": _simple(lambda x: x, "activation"),
}


def activation(config: Config, kind: str) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The layer's activation; None for none."""
    name = config.get("activation") or "linear"
    if isinstance(name, Mapping):  # a layer object as an activation, or a function that somebody registered
        inner = name.get("config")
        if name.get("class_name") in LAYERS and isinstance(inner, Mapping):
            return LAYERS[name["class_name"]](inner, [])
        name = inner if isinstance(inner, str) else name.get("class_name")
    if name == "linear":
        return None
    if name not in ACTIVATIONS:
        raise refuse(config, kind, f"has the activation {name!r}; give one of: {', '.join(sorted(ACTIVATIONS))}.")
    return ACTIVATIONS[name]


# Weights, between a layer's list of arrays and the module's tensors.


def read_weights(module: nn.Module, weights: list[np.ndarray]) -> None:
    """Copies a layer's `get_weights()` into its module."""
    with torch.no_grad():
        for tensor, array in zip(tensors(module), weights, strict=True):
            tensor.copy_(_to_torch(torch.from_numpy(np.array(array, dtype=np.float32))))


def write_weights(module: nn.Module) -> list[np.ndarray]:
    """What the layer's `set_weights` takes: the module's tensors in Keras' order and axes."""
    return [_to_keras(tensor.detach().float().cpu()).contiguous().numpy() for tensor in tensors(module)]


def weighted(module: nn.Module) -> nn.Module:
    """The part of a layer's module that holds the weights."""
    return module[-1] if isinstance(module, nn.Sequential) else module


def tensors(module: nn.Module) -> list[torch.Tensor]:
    """In the order of a Keras layer: what is trained, then running statistics."""
    found = [getattr(module, name, None) for name in ("weight", "bias", "running_mean", "running_var")]
    return [tensor for tensor in found if isinstance(tensor, torch.Tensor)]


def _to_torch(array: torch.Tensor) -> torch.Tensor:
    """(height, width, a, b), of a convolution or a transposed one, as (b, a, height, width); (in, out) as (out, in)."""
    return array.permute(3, 2, 0, 1) if array.ndim == 4 else array.T if array.ndim == 2 else array


def _to_keras(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


def _pair(value: Any) -> Pair:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)
