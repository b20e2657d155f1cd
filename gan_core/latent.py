"""Driving a generator by hand: the newest networks from a live file, z from a seed, directions worth a slider.

It knows no runs, no registry and no page: whoever loads says how the networks are built. One thread uses a view at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from . import checkpoint
from .images import to_uint8
from .randomness import Draws

MAX_DIRECTIONS = 16
MAX_LATENT = 1024
LIVE_LIMIT = 256 * 1024**2  # bytes; the course's pair takes 2.4 million in float16
Build = Callable[[str, int], tuple[nn.Module, nn.Module]]


@dataclass(frozen=True)
class LatentView:
    """A generator and its judge at one step, both in evaluation mode; replaced whole, never changed."""

    generator: nn.Module
    discriminator: nn.Module
    latent_dim: int
    step: int
    fake_is_one: bool  # the course labels fakes 1, so there a logit above 0 means "fake"
    center: float = 0.0  # the logit at which the discriminator is undecided; only relative losses move it

    @torch.inference_mode()
    def image(self, z: np.ndarray | torch.Tensor, psi: float = 1.0) -> tuple[np.ndarray, float]:
        """(picture (H, W) or (H, W, 3) uint8, verdict: probability of "real" in [0, 1]) for one z (latent_dim,).

        `psi` pulls z towards the middle: 0 is the middle itself, 1 leaves z as it is. Raises ValueError for a z of
        another length or with a NaN.
        """
        z = torch.as_tensor(z, dtype=torch.float32).reshape(-1)
        if z.numel() != self.latent_dim:
            raise ValueError(f"z has {z.numel()} numbers; this generator takes {self.latent_dim}.")
        if not torch.isfinite(z).all() or not np.isfinite(psi):
            raise ValueError("z and psi must be finite numbers.")
        fake = self.generator(psi * z[None])  # (1, C, H, W) in [0, 1]
        logit = self.discriminator(fake).reshape(()).float() - self.center
        verdict = torch.sigmoid(-logit if self.fake_is_one else logit)
        picture = to_uint8(fake[0]).permute(1, 2, 0).numpy()  # (H, W, C)
        return picture[..., 0] if picture.shape[-1] == 1 else picture, float(verdict)


def load_live(path: Path | str, build: Build) -> LatentView:
    """The networks of one live file, in float32 on the CPU.

    `build(networks name, latent_dim)` makes the empty pair (generator, discriminator). Raises CheckpointError for a file
    that does not hold exactly that pair, OSError where it cannot be read (it may just have been replaced by a newer one).
    """
    tensors, metadata = checkpoint.read(path, limit=LIVE_LIMIT)
    try:
        name, latent_dim, step = str(metadata["networks"]), int(metadata["latent_dim"]), int(metadata["step"])
        loss = str(metadata["loss"])
        center = float(metadata.get("center", 0.0))
        if not 1 <= latent_dim <= MAX_LATENT:
            raise ValueError(f"latent_dim {latent_dim}")
        G, D = build(name, latent_dim)
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
    return LatentView(G, D, latent_dim, step, fake_is_one=loss == "course", center=center)


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
