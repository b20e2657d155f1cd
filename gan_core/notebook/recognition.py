"""What of a notebook's training has a name here: its networks, and its pictures where they are a data set on this machine.

A run whose networks and data have names can be built and continued anywhere; of any other one a config says `NOTEBOOK`.
"""

from __future__ import annotations

import contextlib

import numpy as np
import torch
from torch import nn

from .. import registry
from ..config import TrainConfig
from ..data import loading
from ..data.types import DataError, LoadedData
from ..networks.pair import build_pair
from .adapters import NetworkPair


def name_networks(pair: NetworkPair, latent_dim: int) -> str:
    """The registry's name of these two networks as they are, without an adapter; NOTEBOOK where there is none."""
    given = pair.generator, pair.discriminator
    if given != (pair.inner["generator"], pair.inner["discriminator"]):
        return registry.NOTEBOOK
    for name, row in registry.NETWORKS.items():
        if not row.misfit(pair.shape, classes=False):
            with torch.random.fork_rng(devices=[]):
                built = build_pair(name, latent_dim, pair.shape)
            if all(map(_is_built_as, given, built)):
                return name
    return registry.NOTEBOOK


def _is_built_as(given: nn.Module, built: nn.Module) -> bool:
    forms = [{name: (t.shape, t.dtype) for name, t in network.state_dict().items()} for network in (given, built)]
    return type(given) is type(built) and repr(given) == repr(built) and forms[0] == forms[1]


def name_data(images: torch.Tensor) -> tuple[dict[str, str | int], LoadedData]:
    """(config values that load exactly these pictures, in this order; the data with what is known of them).

    images: uint8 (N, C, H, W) on the CPU. Only data sets that need no network now are looked at. Of other pictures the first is
    {"dataset": NOTEBOOK}, and nothing is known of their classes.
    """
    array = images.numpy()
    for name in registry.DATASETS:
        values: dict[str, str | int] = {"dataset": name, "max_images": len(array)}
        with contextlib.suppress(DataError, ValueError):  # it takes more than its name, or is damaged
            if _may_be(name, array) and loading.works_offline(TrainConfig().replace(**values)):
                loaded = loading.load(TrainConfig().replace(**values))
                if np.array_equal(loaded.data, array):
                    return values | {"max_images": 0 if loaded.found_count == len(array) else len(array)}, loaded
    return {"dataset": registry.NOTEBOOK}, LoadedData(array)


def _may_be(name: str, array: np.ndarray) -> bool:
    """Whether the pictures of this data set have the form of these, as far as the registry says."""
    row = registry.DATASETS[name]
    return not row.points and row.group != "own" and (row.channels, row.side, row.side) == array.shape[1:]
