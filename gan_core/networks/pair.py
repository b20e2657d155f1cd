"""A pair of networks by its name in the registry, for data of a shape that its row accepts."""

from __future__ import annotations

from torch import nn

from .. import registry
from ..messages import Misfit


def build_pair(name: str, latent_dim: int, shape: tuple[int, ...], classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """(generator, discriminator) for data of `shape`, (2,) or (C, H, W), with weights from torch's global random generator.

    Raises KeyError for an unknown name, and Misfit, a ValueError, for a shape or classes that the registry's row does not accept,
    and for networks that only their notebook has.
    """
    if name == registry.NOTEBOOK:
        raise Misfit("notebook_networks")
    build = registry.resolve(registry.NETWORKS, name)
    row = registry.NETWORKS[name]
    reason = row.misfit(shape, bool(classes))
    if reason == "classes":
        raise Misfit("misfit_classes", networks={"networks": name}, field={"field": "condition"}, none={"condition": "none"})
    if reason and row.points:
        raise Misfit("misfit_points", networks={"networks": name}, shape=str(tuple(shape)))
    if reason:
        raise Misfit("misfit_size", networks={"networks": name}, sides=list(row.sides), channels=list(row.channels),
                     shape=str(tuple(shape)))
    return build(latent_dim, shape, classes)
