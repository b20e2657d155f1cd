"""Driving a generator by hand: the newest networks from a live file, z from a seed, directions worth a slider.

It knows no runs, no registry and no page: whoever loads says how the networks are built. One thread uses a view at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from ..evaluation import plane
from ..losses.adversarial import probability_real
from ..losses.randomness import Draws
from ..runs import checkpoint
from ..training.pixel_range import to_uint8

MAX_DIRECTIONS = 16
MAX_LATENT = 1024
MAX_SHAPE, MAX_CLASSES = 1024, 1000  # a file that asks for more is not one of ours
LIVE_LIMIT = 256 * 1024**2  # bytes; the course's pair takes 2.4 million in float16
CLOUD = 256  # fakes behind a driven point
Build = Callable[[str, int, tuple[int, ...], int], tuple[nn.Module, nn.Module]]


@dataclass(frozen=True)
class LatentView:
    """A generator and its judge at one step, both in evaluation mode; replaced whole, never changed."""

    generator: nn.Module
    discriminator: nn.Module
    latent_dim: int
    step: int
    fake_is_one: bool  # the loss labels fakes 1, so a logit above 0 means "fake"
    center: float = 0.0  # the logit at which the discriminator is undecided; only relative losses move it
    classes: int = 0  # 0: the networks are told none
    axes: plane.Axes | None = None  # of networks of 2-D points

    def image(self, z: np.ndarray | torch.Tensor, psi: float = 1.0, label: int | None = None) -> tuple[np.ndarray, float]:
        """(picture uint8, verdict: probability of "real" in [0, 1]) for one z (latent_dim,) and, with classes, one label.

        Pictures are (H, W) or (H, W, 3); a point is shown on its plane, (280, 280, 4) with opacity. `psi` pulls z towards the
        middle: 0 is the middle itself, 1 leaves z as it is; without a label it is class 0. Raises ValueError for a z of
        another length or with a NaN, or for a label that is no class here.
        """
        drawn, verdict, _ = self.drawn(z, psi, label)
        return drawn, verdict

    @torch.inference_mode()
    def drawn(self, z: np.ndarray | torch.Tensor, psi: float = 1.0,
              label: int | None = None) -> tuple[np.ndarray, float, tuple[float, float] | None]:
        """As `image`, and for networks of points where the point lies, in the data's units."""
        z = torch.as_tensor(z, dtype=torch.float32).reshape(-1)
        if z.numel() != self.latent_dim:
            raise ValueError(f"z has {z.numel()} numbers; this generator takes {self.latent_dim}.")
        if not torch.isfinite(z).all() or not np.isfinite(psi):
            raise ValueError("z and psi must be finite numbers.")
        if label is not None and not 0 <= label < self.classes:
            known = f"give a whole number from 0 to {self.classes - 1}" if self.classes else "this generator knows no classes"
            raise ValueError(f"the label is {label}; {known}.")
        kind = [torch.tensor([label or 0])] if self.classes else []
        fake = self.generator(psi * z[None], *kind)  # (1, C, H, W) in [0, 1], or (1, 2)
        verdict = float(probability_real(self.discriminator(fake, *kind).reshape(()) - self.center, self.fake_is_one))
        if self.axes is not None:
            x, y = self.axes.to_data(fake)[0].tolist()
            return plane.picture(self._backdrop, (x, y), self.axes), verdict, (x, y)
        picture = to_uint8(fake[0]).permute(1, 2, 0).numpy()  # (H, W, C)
        return picture[..., 0] if picture.shape[-1] == 1 else picture, verdict, None

    @cached_property
    def _backdrop(self) -> np.ndarray:
        """What a driven point is drawn on; these networks never change, so it is made once."""
        assert self.axes is not None
        opinion = plane.heat(self.discriminator, self.axes, fake_is_one=self.fake_is_one, center=self.center)
        fakes = self.generator(Draws(0).normal("cloud", 0, CLOUD, self.latent_dim))
        return plane.backdrop(opinion, self.axes.to_data(fakes).numpy(), self.axes)


def load_live(path: Path | str, build: Build) -> LatentView:
    """The networks of one live file, in float32 on the CPU.

    `build(networks name, latent_dim, shape, classes)` makes the empty pair (generator, discriminator). Raises CheckpointError
    for a file that does not hold exactly that pair, OSError where it cannot be read (a newer one may just have replaced it).
    """
    tensors, metadata = checkpoint.read(path, limit=LIVE_LIMIT)
    try:
        name, latent_dim, step = str(metadata["networks"]), int(metadata["latent_dim"]), int(metadata["step"])
        # Files written before the field existed know the loss by name only; one of those losses labelled fakes 1.
        fake_is_one = bool(metadata.get("fake_is_one", metadata["loss"] == "course"))
        center = float(metadata.get("center", 0.0))
        shape = tuple(int(n) for n in metadata.get("shape", (1, 28, 28)))  # files of the first version do not say
        classes = int(metadata.get("classes", 0))
        if not 1 <= latent_dim <= MAX_LATENT:
            raise ValueError(f"latent_dim {latent_dim}")
        if not (len(shape) in (1, 3) and all(1 <= n <= MAX_SHAPE for n in shape) and 0 <= classes <= MAX_CLASSES):
            raise ValueError(f"shape {shape}, {classes} classes")
        axes = plane.Axes.of(metadata["axes"]) if shape == (2,) else None
        G, D = build(name, latent_dim, shape, classes)
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(f"{Path(path).name} does not name networks known here ({error}).") from error
    for prefix, network in (("generator.", G), ("discriminator.", D)):
        own = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            reason = f"its {prefix[:-1]} is not the one named {name!r}"
            raise checkpoint.CheckpointError(f"{Path(path).name} is refused: {reason}.") from error
        network.float().eval().requires_grad_(False)
    return LatentView(G, D, latent_dim, step, fake_is_one=fake_is_one, center=center, classes=classes, axes=axes)


def find_directions(view: LatentView, previous: np.ndarray | None = None) -> np.ndarray:
    """(n, latent_dim) float32, n = min(16, latent_dim): orthonormal rows, the most effective first.

    SeFa [2007.06600]: eigenvectors of A^T A, where A (units, latent_dim) is the generator's first dense weight and each
    unit's row has length 1. With `previous`, each new direction takes the place and sign of the old one it resembles most.
    """
    A = _first_weight(view)
    A = A / A.norm(dim=1, keepdim=True).clamp_min(1e-12)
    vectors = torch.linalg.eigh(A.T @ A).eigenvectors.T.flip(0)  # rows, largest eigenvalue first
    found = vectors[:min(MAX_DIRECTIONS, view.latent_dim)].numpy()
    if previous is None or previous.shape != found.shape:
        # An eigenvector has no sign of its own: its largest entry is made positive.
        signs = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
        return (found * signs[:, None]).astype(np.float32)
    alike = previous.astype(np.float64) @ found.T  # cosines, (old, new)
    _, order = linear_sum_assignment(-np.abs(alike))
    signs = np.where(alike[np.arange(len(order)), order] < 0, -1.0, 1.0)
    return (found[order] * signs[:, None]).astype(np.float32)


def _first_weight(view: LatentView) -> torch.Tensor:
    """The first layer that takes z, as a float64 matrix (units, latent_dim)."""
    for layer in view.generator.modules():
        if isinstance(layer, nn.Linear) and layer.in_features == view.latent_dim:
            return layer.weight.detach().double()
        if isinstance(layer, nn.ConvTranspose2d) and layer.in_channels == view.latent_dim:
            return layer.weight.detach().double().flatten(1).T  # stored (in, out, k, k)
    raise ValueError("this generator has no dense first layer, so it has no directions of this kind.")


def seed_z(seed: int, latent_dim: int) -> np.ndarray:
    """z ~ N(0, 1), (latent_dim,) float32: the same for the same seed, on every machine."""
    return Draws(int(seed)).normal("seed box", 0, latent_dim).numpy()
