"""The two networks that a notebook brings, as a `Trainer` takes them: what each needs is found by trying it.

A trainer's generator makes pictures (N, C, H, W) in [0, 1] of z (N, d); its discriminator makes logits (N,) of them. Networks of
tutorials differ: z as (N, d, 1, 1), pictures in [-1, 1], logits as (N, 1), a sigmoid at the end, Keras' order of axes. These are
adapted; anything else is refused with the line to change.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..losses.precision import upcast
from ..messages import one_line
from ..networks.course import CourseDiscriminator, CourseGenerator
from .keras_models import Graph, KerasNetwork, is_keras_model

ROWS = 16  # z, and pictures, of a trial
HUGE = 1e3  # times what is usual: a bounded network stays within its bounds, another one leaves them
EPSILON = 1e-3  # what rounding may add to a bound


class AdaptedGenerator(nn.Module):
    """z (N, d) -> (N, C, H, W) in [0, 1], by a generator that takes z as `maps` (N, d, 1, 1) or makes `signed` pictures."""

    def __init__(self, network: nn.Module, maps: bool, signed: bool) -> None:
        super().__init__()
        self.network, self.maps, self.signed = network, maps, signed

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        pictures = upcast(self.network(z[:, :, None, None] if self.maps else z))  # bfloat16 is as coarse as a grey level
        return (pictures + 1) / 2 if self.signed else pictures


class AdaptedDiscriminator(nn.Module):
    """(N, C, H, W) in [0, 1] -> logits (N,), by a discriminator of `signed` pictures, or with the layer `sigmoid` at its end."""

    def __init__(self, network: nn.Module, signed: bool, sigmoid: str = "") -> None:
        super().__init__()
        self.network, self.signed, self.sigmoid = network, signed, sigmoid

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = 2 * x - 1 if self.signed else x
        if not self.sigmoid:
            return self.network(x).flatten()
        taken: list[torch.Tensor] = []  # what goes into the sigmoid: its own output has no logit left where it is 0 or 1
        layer = self.network.get_submodule(self.sigmoid)
        hook = layer.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
        try:
            self.network(x)
        finally:
            hook.remove()
        return taken[-1].flatten()


@dataclass(frozen=True)
class NetworkPair:
    """What trains, `generator` and `discriminator`; `inner` holds their weights under the names that are stored.

    `shape`: (C, H, W) of the pictures. `signed`: whether the generator's own pictures lie in [-1, 1].
    """

    generator: nn.Module
    discriminator: nn.Module
    inner: dict[str, nn.Module]
    shape: tuple[int, int, int]
    signed: bool
    keras: tuple[KerasNetwork, ...] = ()

    def read_weights(self) -> None:
        """Takes what Keras models hold now."""
        for network in self.keras:
            network.read_weights()

    def write_weights(self) -> None:
        """Gives what was learned back to Keras models; torch networks are trained in place."""
        for network in self.keras:
            network.write_weights()


def adapt(generator: Any, discriminator: Any, latent_dim: int) -> NetworkPair:
    """The pair for these networks. Raises ValueError, one sentence, for what cannot be taken."""
    keras: list[KerasNetwork] = []
    G = _module("generator", generator, (latent_dim,), keras)
    with _trial(G):
        maps, pictures = _try_generator(G, latent_dim)
        signed = _is_signed(G, latent_dim, maps)
    channels, height, width = pictures.shape[1:]
    D = _module("discriminator", discriminator, (height, width, channels), keras)
    with _trial(D):
        _try_discriminator(D, pictures)
        sigmoid = _sigmoid_of(D, (channels, height, width))
        plain = _shape(D(pictures)) == (len(pictures),)
    return NetworkPair(AdaptedGenerator(G, maps, signed) if maps or signed else G,
                       D if plain and not (signed or sigmoid) else AdaptedDiscriminator(D, signed, sigmoid),
                       {"generator": G, "discriminator": D}, (channels, height, width), signed, tuple(keras))


def _module(name: str, network: Any, input_shape: tuple[int, ...], keras: list[KerasNetwork]) -> nn.Module:
    """The torch network itself, or that of a Keras model, which is added to `keras`."""
    if is_keras_model(network):
        converted = KerasNetwork(network, input_shape)
        if name == "discriminator" and converted.last == "sigmoid" and isinstance(converted.network, Graph):
            converted.network.drop_last_activation()
        keras.append(converted)
        return converted.network
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name} is a {type(network).__name__}; give a torch.nn.Module, such as course_{name}(), or a Keras "
                         "model.")
    parameters = dict(network.named_parameters())
    frozen = [name for name, p in parameters.items() if not p.requires_grad]
    if 0 < len(frozen) < len(parameters):
        raise ValueError(f"{name}.{frozen[0]} does not require a gradient; here all weights learn: call requires_grad_(True).")
    if not parameters:
        raise ValueError(f"the {name} has no weights to train; give a torch.nn.Module with some, such as course_{name}().")
    return network


@contextlib.contextmanager
def _trial(network: nn.Module) -> Iterator[None]:
    """Within it the network is in evaluation mode, without gradients, and what fails in it is one sentence."""
    training = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    except (ValueError, KeyboardInterrupt):
        raise
    except Exception as error:  # the networks are anybody's code
        raise ValueError(f"the networks do not fit each other or latent_dim: {one_line(str(error), 200)}.") from error
    finally:
        for module, was in training:
            module.training = was


def _rows(network: nn.Module, *shape: int) -> torch.Tensor:
    """The same normal numbers at each trial, (ROWS, *shape), where the network is."""
    noise = torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(0))
    return noise.to(next(network.parameters()).device, next(network.parameters()).dtype)


def _try_generator(G: nn.Module, latent_dim: int) -> tuple[bool, torch.Tensor]:
    """(whether G takes z as (N, d, 1, 1), what it makes of two z). Raises ValueError where it makes no pictures of either."""
    z, reasons = _rows(G, latent_dim)[:2], []
    for maps in (False, True):
        try:
            made = G(z[:, :, None, None] if maps else z)
            break
        except Exception as error:  # the network is anybody's code
            reasons.append(error)
    else:
        raise ValueError(f"the generator does not take z of latent_dim {latent_dim}, neither as (2, {latent_dim}) nor as (2, "
                         f"{latent_dim}, 1, 1): {one_line(str(reasons[0]), 200)}.") from reasons[0]
    if not isinstance(made, torch.Tensor) or made.ndim != 4 or len(made) != 2 or made.shape[1] not in (1, 3):
        raise ValueError(f"the generator makes {_shape(made)} of two z; it must make pictures, such as (2, 1, 28, 28).")
    return maps, made


def _is_signed(G: nn.Module, latent_dim: int, maps: bool) -> bool:
    """Whether G's pictures lie in [-1, 1] and not in [0, 1]; ValueError for those of a generator without bounds."""
    if isinstance(G, CourseGenerator):
        return False
    z = _rows(G, latent_dim)
    z = torch.cat([z, HUGE * z])
    made, last = _traced(G, z[:, :, None, None] if maps else z)
    with _last_weights_scaled(G):  # normalised features do not grow with z
        larger = G(z[:, :, None, None] if maps else z)
    low, high = (value.item() for value in torch.cat([made.float(), larger.float()]).aminmax())
    if low < -1 - EPSILON or high > 1 + EPSILON or not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"the generator makes values from {low:.3g} to {high:.3g}; end it with a sigmoid, for [0, 1], or with a "
                         "tanh, for [-1, 1].")
    return low < -EPSILON or last == "tanh"


def _try_discriminator(D: nn.Module, pictures: torch.Tensor) -> None:
    made = D(pictures)
    if not isinstance(made, torch.Tensor) or made.numel() != 2 or len(made) != 2:
        raise ValueError(f"the discriminator makes {_shape(made)} of two images; it must make one logit of each, (2,) or (2, 1).")


def _sigmoid_of(D: nn.Module, shape: tuple[int, int, int]) -> str:
    """The name of the sigmoid at D's end, "" where there is none. Raises ValueError for one that cannot be left out."""
    if isinstance(D, CourseDiscriminator):
        return ""
    ran: list[tuple[str, torch.Tensor]] = []
    layers = [(name, module) for name, module in D.named_modules() if isinstance(module, nn.Sigmoid)]
    hooks = [module.register_forward_hook(lambda _, __, made, name=name: ran.append((name, made))) for name, module in layers]
    try:
        made, end = _traced(D, _rows(D, *shape))
    finally:
        for hook in hooks:
            hook.remove()
    if ran and torch.equal(ran[-1][1].flatten(), made.flatten()):
        return ran[-1][0]
    if end:
        raise ValueError(f"the discriminator ends in a {end}; return what goes into it, without {end}(...): the loss takes "
                         "logits and applies the sigmoid itself.")
    return ""


class _Ends(TorchFunctionMode):
    """Remembers what the last sigmoid or tanh made, as a layer or as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[str, torch.Tensor] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("sigmoid", "sigmoid_", "special_expit", "tanh", "tanh_") and isinstance(made, torch.Tensor):
            self.last = ("tanh" if "tanh" in name else "sigmoid", made.clone())
        return made


def _traced(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, str]:
    """(what the network makes, "sigmoid" or "tanh" where it ends in one, else "")."""
    with _Ends() as ends:
        made = network(x)
    is_last = ends.last is not None and torch.equal(ends.last[1].flatten(), made.flatten())
    return made, ends.last[0] if is_last and ends.last is not None else ""


@contextlib.contextmanager
def _last_weights_scaled(network: nn.Module) -> Iterator[None]:
    """Within it the last parameter with axes, that of the last layer as a rule, is HUGE times as large."""
    weights = [p for p in network.parameters() if p.ndim > 1][-1:]
    kept = [p.detach().clone() for p in weights]
    try:
        for p in weights:
            p.mul_(HUGE)
        yield
    finally:
        for p, old in zip(weights, kept, strict=True):
            p.copy_(old)


def _shape(output: Any) -> Any:
    """The shape of what a network makes; where that is no tensor, its type."""
    return tuple(output.shape) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
