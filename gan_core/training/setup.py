"""Before the first step: networks and optimizers from a config, and the checks that data, networks and settings go together."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from .. import registry
from ..compute.distributed import Team
from ..config import TrainConfig
from ..data import loading
from ..losses.adversarial import Loss
from ..losses.randomness import derive_seed
from ..messages import Misfit, is_whole, one_line
from ..networks.layers import BatchNorm2d
from ..networks.pair import build_pair
from ..networks.spectral_norm import spectral_norm_
from .adam import Adam

Array: TypeAlias = torch.Tensor | np.ndarray
Shape = tuple[int, ...]

ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps for each parameter
MAX_SAMPLES = 1_000_000  # of one call: they are kept in memory together


def load_data(config: TrainConfig) -> tuple[Array, Array | None]:
    """(images or points, labels or None) of the config's data set."""
    loaded = loading.load(config)
    return loaded.data, loaded.labels


def fresh_networks(networks: str, latent_dim: int, shape: Shape, classes: int = 0,
                   spectral_norm: bool = False) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator) of this name, with weights from torch's global random generator."""
    G, D = build_pair(networks, latent_dim, shape, classes)
    return G, spectral_norm_(D) if spectral_norm else D


def build_networks(config: TrainConfig, shape: Shape, classes: int) -> tuple[nn.Module, nn.Module]:
    """New networks whose weights depend on the seed alone; the global random generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "weights", 0))
        return fresh_networks(config.networks, config.latent_dim, shape, classes, config.spectral_norm)


def create_adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> Adam:
    """Fused Adam with its state from the start, so that a state dict has the same names before and after step 1."""
    cuda = next(network.parameters()).is_cuda
    rate = torch.tensor(lr, device="cuda") if cuda else lr  # a tensor may change under a captured graph
    optimizer = Adam(network.parameters(), lr=rate, betas=betas, fused=True, capturable=cuda)
    for parameter in network.parameters():
        optimizer.state[parameter] = {"step": torch.zeros((), device=parameter.device),
                                      "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
    return optimizer


def forward(network: nn.Module, x: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """G(z) or D(x), with the classes where there are any."""
    return network(x) if labels is None else network(x, labels)


class frozen_statistics:  # noqa: N801, a context manager reads as a verb
    """Within it, batch norm layers use their batch's statistics and do not store them: no tensor of the network changes."""

    def __init__(self, network: nn.Module) -> None:
        self._layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]

    def __enter__(self) -> None:
        for layer in self._layers:
            layer.track_running_stats = False
            # In train mode the batch's statistics are used either way; this only keeps them from being stored.

    def __exit__(self, *exception: object) -> None:
        for layer in self._layers:
            layer.track_running_stats = True


def check_config(config: TrainConfig, loss: Loss, points: bool, processes: int = 1) -> None:
    """Checks fields against each other, where each alone is in range. Raises ValueError, one sentence."""
    if not config.is_batch_shared_by(processes):
        raise Misfit("misfit_batch", field={"field": "batch_size"}, batch=config.batch_size, n=processes)
    for name in ("label_noise", "label_smoothing"):
        if getattr(config, name) and not loss.takes_noise:
            raise Misfit("misfit_noise", field={"field": name}, value=getattr(config, name), loss={"loss": config.loss})
    if points and config.augment != "none":
        raise Misfit("misfit_augment", field={"field": "augment"}, value={"augment": config.augment}, none={"augment": "none"})


def sync_batch_norms(G: nn.Module, D: nn.Module, team: Team) -> None:
    """Let G's batch norms use the statistics of the team's whole batch. Raises ValueError for layers that cannot do that."""
    if team.size == 1:
        return
    for network, supported in ((G, BatchNorm2d), (D, ())):
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and not isinstance(layer, supported):
                raise ValueError(f"{type(layer).__name__} sees only a part of the batch in each of {team.size} processes; train "
                                 "with one process, or use networks.layers.BatchNorm2d, in the generator alone.")
            if isinstance(layer, BatchNorm2d):
                layer.all_gather = team.all_gather


def as_tensor(what: str, value: Array) -> torch.Tensor:
    """An array or a tensor as a tensor. Raises ValueError, one sentence, for what is neither; what: "images" or "labels"."""
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{what} cannot be read from {type(value).__name__}; give a tensor or an array of numbers.") from error


def check_networks(networks: Any) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator). Raises ValueError, one sentence, for what is no such pair."""
    pair = tuple(networks) if isinstance(networks, tuple | list) else (networks,)
    if len(pair) != 2 or not all(isinstance(network, nn.Module) for network in pair):
        given = ", ".join(type(network).__name__ for network in pair)
        raise ValueError(f"networks is {given[:80]}; give (generator, discriminator), each a torch.nn.Module.")
    return pair


def check_sample(z: Any, latent_dim: int, generator: str, generators: tuple[str, ...]) -> None:
    """Raises ValueError, one sentence, for what is no z (N, latent_dim) or count of them, and for an unknown generator."""
    if generator not in generators:
        raise ValueError(f"generator is {one_line(generator)}; {registry.choose_one(generator, generators)}.")
    fits = isinstance(z, torch.Tensor) and z.ndim == 2 and z.shape[1] == latent_dim and len(z) > 0
    if not (1 <= z <= MAX_SAMPLES if is_whole(z) else fits):
        given = tuple(z.shape) if isinstance(z, torch.Tensor) else one_line(z)
        raise ValueError(f"z is {given}; give a whole number from 1 to {MAX_SAMPLES:,}, or a tensor (N, {latent_dim}).")


def sample_labels(labels: Array | None, count: int, classes: int, device: torch.device) -> torch.Tensor | None:
    """The class of each of `count` samples, (count,): as given, else each in turn; None without classes. Raises ValueError."""
    if not classes:
        return None
    if labels is None:
        return torch.arange(count, device=device) % classes
    labels = as_tensor("labels", labels).to(device)
    if labels.shape != (count,):
        raise ValueError(f"labels are {tuple(labels.shape)}; give one for each of the {count} z, (N,).")
    return labels


@torch.no_grad()
def check_data(data: torch.Tensor, labels: torch.Tensor | None, condition: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Pictures or points and their classes, labels as int64. Raises ValueError, one sentence, for what cannot be trained on."""
    pictures = data.ndim == 4 and data.dtype == torch.uint8
    points = data.ndim == 2 and data.shape[1] == 2 and data.dtype == torch.float32
    if not (pictures or points) or not len(data):
        raise ValueError(f"images are {data.dtype} {tuple(data.shape)}; give uint8 (N, C, H, W) with N at least 1, "
                         "or points as float32 (N, 2).")
    if not pictures and not (data.isfinite().all() and data.std() > 0):
        raise ValueError("the points are not all finite, or all the same; give points that differ.")
    if labels is not None and (labels.shape != (len(data),) or labels.is_floating_point() or labels.min() < 0):
        raise ValueError(f"labels are {labels.dtype} {tuple(labels.shape)}; give whole numbers from 0, one for each of the "
                         f"{len(data):,} images.")
    if condition == "class" and labels is None:
        raise Misfit("misfit_unlabelled", field={"field": "condition"}, value={"condition": "class"}, none={"condition": "none"})
    return data, labels.long() if labels is not None else None


@torch.no_grad()
def check_generator_output(G: nn.Module, z: torch.Tensor, labels: torch.Tensor | None, shape: Shape) -> None:
    """Raises ValueError, with both shapes, where the generator does not make what the data are."""
    training = G.training
    G.eval()  # one z is no batch, and its statistics must not be stored
    output = tuple(forward(G, z, labels).shape[1:])
    G.train(training)
    if output != shape:
        raise ValueError(f"the images are {shape} and the generator makes {output}; they must agree.")
