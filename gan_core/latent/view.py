"""A generator driven by hand: networks from a live file, z from a seed, directions for the sliders.

The caller finds the file and says how networks are built. A view is for one thread at a time.

Shapes: z (latent_dim,); pictures (C, H, W); n directions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from .. import registry
from ..evaluation import plane
from ..losses.adversarial import probability_real
from ..losses.randomness import Draws
from ..runs import checkpoint
from ..runs.frames import grid_labels
from ..training.pixel_range import to_uint8

MAX_DIRECTIONS = 16
MAX_LATENT = 1024
MAX_SHAPE, MAX_CLASSES = 1024, 1000  # a live file beyond these limits is refused
LIVE_LIMIT = 256 * 1024**2  # bytes; the course's pair takes 2.4 million in float16
NUM_CLOUD = 256  # fakes behind a driven point
NetworkBuilder = Callable[[str, int, tuple[int, ...], int], tuple[nn.Module, nn.Module]]


class Rendering(NamedTuple):
    """What a generator makes of one z.

    picture: uint8 (H, W) or (H, W, 3); of a 2-D point its plane, (280, 280, 4) with opacity. realness: D's probability of "real",
    in [0, 1]. point: a 2-D point in the data's units, None for pictures.
    """

    picture: np.ndarray
    realness: float
    point: tuple[float, float] | None


@dataclass(frozen=True)
class LatentView:
    """A generator and a discriminator of one step, both in evaluation mode; immutable.

    `generator` is the averaged one where there is an average, and `now` is then the generator as it is.
    """

    generator: nn.Module
    discriminator: nn.Module
    latent_dim: int
    step: int
    fake_is_one: bool  # the loss labels fakes 1, so a logit above 0 means "fake"
    center: float = 0.0  # the logit at which the discriminator is undecided; only relative losses move it
    classes: int = 0  # 0: the networks take no labels
    axes: plane.Axes | None = None  # for networks of 2-D points
    z_layer: str = ""  # the generator's submodule that z enters; "": the generator itself
    now: nn.Module | None = None

    @cached_property
    def of_now(self) -> LatentView:
        """The view of the generator as it is; this very view where the file holds no other."""
        return self if self.now is None else replace(self, generator=self.now, now=None)

    def image(self, z: np.ndarray | torch.Tensor, psi: float = 1.0, label: int | None = None) -> tuple[np.ndarray, float]:
        """The picture and the realness of `render`."""
        picture, realness, _ = self.render(z, psi, label)
        return picture, realness

    @torch.inference_mode()
    def render(self, z: np.ndarray | torch.Tensor, psi: float = 1.0, label: int | None = None) -> Rendering:
        """The picture of psi * z, z (latent_dim,), and of class `label`, 0 unless given, where networks have classes.

        `psi` is the truncation: 0 gives the middle of latent space, 1 leaves z as it is. Raises ValueError for a z of another
        length, for a z or psi that is not finite, and for a label that is not a class here.
        """
        z = torch.as_tensor(z, dtype=torch.float32).reshape(-1)
        if z.numel() != self.latent_dim:
            raise ValueError(f"z has {z.numel()} numbers; this generator takes {self.latent_dim}.")
        if not torch.isfinite(z).all() or not np.isfinite(psi):
            raise ValueError("z and psi must be finite numbers.")
        if label is not None and not 0 <= label < self.classes:
            advice = f"give a whole number from 0 to {self.classes - 1}" if self.classes else "this generator has no classes"
            raise ValueError(f"the label is {label}; {advice}.")
        labels = [torch.tensor([label or 0])] if self.classes else []  # at most one argument, (1,)
        fake = self.generator(psi * z[None], *labels)  # (1, C, H, W) in [0, 1], or (1, 2)
        logit = self.discriminator(fake, *labels).reshape(())
        realness = float(probability_real(logit - self.center, self.fake_is_one))
        if self.axes is not None:
            x, y = self.axes.to_data(fake)[0].tolist()
            return Rendering(plane.draw_point(self._backdrop, (x, y), self.axes), realness, (x, y))
        picture = to_uint8(fake[0]).permute(1, 2, 0).numpy()  # (H, W, C)
        return Rendering(picture[..., 0] if picture.shape[-1] == 1 else picture, realness, None)

    @cached_property
    def _backdrop(self) -> np.ndarray:
        """The background of a driven point; cached, because the networks never change."""
        assert self.axes is not None
        heat = plane.heat_map(self.discriminator, self.axes, fake_is_one=self.fake_is_one, center=self.center)
        fakes = self.generator(Draws(0).normal("cloud", 0, NUM_CLOUD, self.latent_dim))
        return plane.draw_backdrop(heat, self.axes.to_data(fakes).numpy(), self.axes)


def load_live(path: Path | str, build: NetworkBuilder) -> LatentView:
    """The networks of one live file, in float32 on the CPU.

    `build(name of the networks, latent_dim, shape, classes)` makes the pair (generator, discriminator) that takes the weights.
    Raises CheckpointError for a file that does not hold exactly that pair, OSError for one that cannot be read (a newer one may
    just have replaced it).
    """
    tensors, metadata = checkpoint.read(path, limit=LIVE_LIMIT)
    try:
        name, latent_dim, step = str(metadata["networks"]), int(metadata["latent_dim"]), int(metadata["step"])
        # Files written before the field existed know the loss by name only; one of those losses labelled fakes 1.
        fake_is_one = bool(metadata.get("fake_is_one", metadata["loss"] == "course"))
        center = float(metadata.get("center", 0.0))
        shape = tuple(int(n) for n in metadata.get("shape", (1, 28, 28)))  # absent in files of the first version
        classes = int(metadata.get("classes", 0))
        if not 1 <= latent_dim <= MAX_LATENT:
            raise ValueError(f"latent_dim {latent_dim}")
        if not (len(shape) in (1, 3) and all(1 <= n <= MAX_SHAPE for n in shape) and 0 <= classes <= MAX_CLASSES):
            raise ValueError(f"shape {shape}, {classes} classes")
        axes = plane.Axes.from_dict(metadata["axes"]) if shape == (2,) else None
        G, D = build(name, latent_dim, shape, classes)
        networks = {"generator": G, "discriminator": D}
        if any(key.startswith("now.") for key in tensors):  # absent in older files, and where there is no average
            networks["now"] = copy.deepcopy(G)
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(f"{Path(path).name} does not name networks of this version ({error}).") from error
    for part, network in networks.items():
        prefix = f"{part}."
        state = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            reason = f"its {part} is not the one named {name!r}"
            raise checkpoint.CheckpointError(f"{Path(path).name} is refused: {reason}.") from error
        network.float().eval().requires_grad_(False)
    z_layer = registry.NETWORKS[name].z_layer if name in registry.NETWORKS else ""
    return LatentView(G, D, latent_dim, step, fake_is_one=fake_is_one, center=center, classes=classes, axes=axes, z_layer=z_layer,
                      now=networks.get("now"))


def find_directions(view: LatentView, previous: np.ndarray | None = None) -> np.ndarray:
    """(n, latent_dim) float32, n = min(16, latent_dim): orthonormal rows, the most effective first.

    SeFa [2007.06600]: eigenvectors of A^T A, where A (units, latent_dim) is the weight of the layer that z enters and each
    unit's row has length 1. With `previous` (n, latent_dim), each new direction takes the row and sign of the old one that it
    resembles most.
    """
    A = _z_weight(view)
    A = A / A.norm(dim=1, keepdim=True).clamp_min(1e-12)
    vectors = torch.linalg.eigh(A.T @ A).eigenvectors.T.flip(0)  # rows, largest eigenvalue first
    directions = vectors[:min(MAX_DIRECTIONS, view.latent_dim)].numpy()  # (n, latent_dim)
    if previous is None or previous.shape != directions.shape:
        # The sign of an eigenvector is arbitrary: its largest entry is made positive.
        signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
        return (directions * signs[:, None]).astype(np.float32)
    cosines = previous.astype(np.float64) @ directions.T  # (old, new)
    _, order = linear_sum_assignment(-np.abs(cosines))
    signs = np.where(cosines[np.arange(len(order)), order] < 0, -1.0, 1.0)
    return (directions[order] * signs[:, None]).astype(np.float32)


def _z_weight(view: LatentView) -> torch.Tensor:
    """The weight of the layer that z enters, as a float64 matrix (units, latent_dim)."""
    layer = view.generator.get_submodule(view.z_layer)
    if isinstance(layer, nn.Linear) and layer.in_features == view.latent_dim:
        return layer.weight.detach().double()
    if isinstance(layer, nn.ConvTranspose2d) and layer.in_channels == view.latent_dim:
        return layer.weight.detach().double().flatten(1).T  # stored (in, out, k, k)
    raise ValueError("this generator's first layer is not dense, so it has no directions of this kind.")


def seed_z(seed: int, latent_dim: int) -> np.ndarray:
    """z ~ N(0, 1), (latent_dim,) float32; the same for a seed on every machine."""
    return Draws(int(seed)).normal("seed box", 0, latent_dim).numpy()


def fake_z(seed: int, index: int, latent_dim: int, classes: int = 0) -> tuple[np.ndarray, int]:
    """z (latent_dim,) float32 and class of one picture of the sample grids of a run with this seed, counted by rows from 0.

    Raises ValueError.
    """
    labels = grid_labels(classes)
    if not 0 <= index < len(labels):
        raise ValueError(f"fake is {index}; this run's grid has pictures 0 to {len(labels) - 1}.")
    z = Draws(seed).normal("samples", 0, len(labels), latent_dim)[index].numpy()  # as `Batches.fixed_z` draws them
    return z, labels[index]
