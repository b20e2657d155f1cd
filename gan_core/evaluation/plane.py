"""A GAN of points on the plane: where its fakes lie, what D thinks of every place, how G bends space, where D pushes.

The layers are those of GAN Lab [1809.01587]. Plain arguments in, lists and small pictures out: it knows no trainer, run or page.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data import rendering
from ..losses.adversarial import probability_real

FAKES, PUSHED, REALS = 512, 64, 1000  # points that are shown: fakes, those with an arrow, reals
HEAT, LATTICE = 48, 17  # places a side
REACH = 2.0  # the lattice of z spans [-2, 2]: 95% of each normal coordinate
LONGEST = 1 / 8  # of the view's side: the longest arrow
SIDE = 280  # pixels of the small picture; it is shown at half of that, so that fine screens have their due
DEEPEST, SHARPER = 0.45, 3  # as the page draws D's opinion, see ui/web/lib/heat.js
BLUE, ORANGE = (0, 103, 177), (219, 104, 24)  # D's colour and G's, between those of the light and of the dark page


@dataclass(frozen=True)
class Axes:
    """How the data's own units (u) and the networks' (n) belong together, u = n * scale + middle, and what is shown of them.

    view: (x0, x1, y0, y1), a square in the data's units.
    """

    middle: tuple[float, float]
    scale: float
    view: tuple[float, float, float, float]

    @classmethod
    def around(cls, points: torch.Tensor, middle: torch.Tensor, scale: float) -> Axes:
        """The axes that show all of `points` (N, 2)."""
        low, high = points.amin(0).double(), points.amax(0).double()
        return cls((float(middle[0]), float(middle[1])), float(scale), rendering.view(low.tolist(), high.tolist()))

    @classmethod
    def of(cls, values: dict[str, Any]) -> Axes:
        """From `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        middle, view = ([float(v) for v in values[name]] for name in ("middle", "view"))
        scale = float(values["scale"])
        sensible = len(middle) == 2 and len(view) == 4 and view[0] < view[1] and view[2] < view[3]
        if not (sensible and all(map(math.isfinite, (*middle, *view, scale))) and scale > 0):
            raise ValueError(f"these are no axes: {str(values)[:80]}")
        return cls(tuple(middle), scale, tuple(view))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def side(self) -> float:
        return self.view[1] - self.view[0]

    def to_networks(self, points: torch.Tensor) -> torch.Tensor:
        return (points - points.new_tensor(self.middle)) / self.scale

    def to_data(self, made: torch.Tensor) -> torch.Tensor:
        """(N, 2) float32 on the CPU. What is no number is put in the middle; what is far outside is held where JSON reaches."""
        return made.detach().float().cpu().nan_to_num(0.0).clamp(-1e4, 1e4) * self.scale + torch.tensor(self.middle)

    def rounded(self, points: torch.Tensor) -> list[Any]:
        """Nested lists, to about a two-thousandth of the view: finer than a pixel, and half the bytes."""
        digits = min(12, max(0, math.ceil(math.log10(2000 / self.side))))
        return np.round(points.double().numpy(), digits).tolist()


def real(points: torch.Tensor, axes: Axes) -> dict[str, Any]:
    """What real.json holds, of (N <= 1000, 2) points in the data's units."""
    return {"points": axes.rounded(points.float().cpu()), "view": list(axes.view)}


def frame(G: nn.Module, D: nn.Module, z: torch.Tensor, axes: Axes, *, fake_is_one: bool = False,
          center: float = 0.0) -> dict[str, Any]:
    """What one frame holds: fakes of z (N, latent_dim), arrows at the first 64 of them, D's opinion and G's bent lattice.

    `center`: the logit at which D is undecided. All in float32 and evaluation mode; both networks are left as they were.
    """
    with _still(G, D):
        with torch.no_grad():
            fake, warp = G(z), G(lattice(z.shape[1]).to(z.device))
        arrows = push(D, fake[:PUSHED], axes.side / axes.scale, fake_is_one)
        values = heat(D, axes, fake_is_one=fake_is_one, center=center, device=z.device)
    return {"fake": axes.rounded(axes.to_data(fake)), "push": axes.rounded((arrows * axes.scale).cpu()),
            "heat": {"size": HEAT, "values": base64.b64encode(values.tobytes()).decode()},
            "warp": axes.rounded(axes.to_data(warp).view(LATTICE, LATTICE, 2)), "view": list(axes.view)}


def lattice(latent_dim: int) -> torch.Tensor:
    """17 x 17 z over [-2, 2]^2, row by row, the first coordinate running along a row, further ones 0: (289, latent_dim)."""
    line = torch.linspace(-REACH, REACH, LATTICE)
    z = torch.zeros(LATTICE * LATTICE, latent_dim)
    z[:, :2] = torch.cartesian_prod(line, line).flip(1)[:, :latent_dim]
    return z


def push(D: nn.Module, fake: torch.Tensor, side: float, fake_is_one: bool = False) -> torch.Tensor:
    """Where D would have each fake go to look more real: the gradient of its realness by x, (N, 2).

    All are scaled alike, so that the longest is an eighth of `side`, the view's side in the networks' units. Where D is flat
    everywhere, or no longer a number, there are no arrows.
    """
    with torch.enable_grad():
        x = fake.detach().float().requires_grad_(True)
        (slope,) = torch.autograd.grad(D(x).sum(), x)
    slope = slope.nan_to_num(0.0, 0.0, 0.0)
    longest = slope.norm(dim=1).max()
    return (-slope if fake_is_one else slope) * (LONGEST * side / longest if longest > 0 else 0.0)


@torch.no_grad()
def heat(D: nn.Module, axes: Axes, size: int = HEAT, *, fake_is_one: bool = False, center: float = 0.0,
         device: torch.device | str = "cpu") -> np.ndarray:
    """255 * P(real) at the middles of size x size squares of the view, (size, size) uint8, row 0 at the bottom."""
    x0, x1, y0, y1 = axes.view
    middles = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(y0 + (y1 - y0) * middles, x0 + (x1 - x0) * middles, indexing="ij")
    places = axes.to_networks(torch.stack([x, y], -1).view(-1, 2))
    found = probability_real(D(places).reshape(-1) - center, fake_is_one)
    return found.nan_to_num(0.0).mul(255).round().to(torch.uint8).view(size, size).cpu().numpy()


def encoded(values: dict[str, Any]) -> bytes:
    """As compact JSON."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


# The small picture beside the sliders.


def backdrop(opinion: np.ndarray, cloud: np.ndarray, axes: Axes) -> np.ndarray:
    """D's opinion (n, n) uint8 and some fakes (N, 2), as colour and opacity (SIDE, SIDE, 4) float32 in [0, 1], top row first."""
    picture = np.zeros((SIDE, SIDE, 4), np.float32)
    smooth = torch.from_numpy(opinion.astype(np.float32) / 255)[None, None]
    smooth = nn.functional.interpolate(smooth, (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0].numpy()[::-1]
    _over(picture, BLUE, DEEPEST * smooth**SHARPER / (smooth**SHARPER + (1 - smooth) ** SHARPER))
    dots = np.zeros((SIDE, SIDE), np.float32)
    for x, y in _pixels(cloud, axes):
        column, row = round(float(x) - 1), round(float(y) - 1)
        if 0 <= column < SIDE - 2 and 0 <= row < SIDE - 2:
            dots[row:row + 3, column:column + 3] = 0.7
    _over(picture, ORANGE, dots)
    return picture


def picture(under: np.ndarray, point: tuple[float, float], axes: Axes) -> np.ndarray:
    """The backdrop with one driven point, (SIDE, SIDE, 4) uint8; a point outside is held at the edge, as half a mark."""
    drawn = under.copy()
    (x, y), = np.clip(_pixels(np.array([point]), axes), 0, SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
    away = np.hypot(columns - x, rows - y)
    _over(drawn, (255, 255, 255), np.clip(13.5 - away, 0, 1) * 0.85)  # the mark must stand out from a crowd
    _over(drawn, ORANGE, np.clip(12 - away, 0, 1) * np.clip(away - 8, 0, 1))
    _over(drawn, ORANGE, np.clip(5.5 - away, 0, 1))
    return np.round(drawn * 255).astype(np.uint8)


def _pixels(points: np.ndarray, axes: Axes) -> np.ndarray:
    """Points (N, 2) in the data's units as (column, row) of the small picture."""
    x0, x1, y0, y1 = axes.view
    return (points - (x0, y1)) / (x1 - x0, y0 - y1) * SIDE


def _over(picture: np.ndarray, colour: tuple[int, int, int], opacity: np.ndarray) -> None:
    """One colour laid over an RGBA picture in place [Porter and Duff 1984]."""
    below = picture[..., 3] * (1 - opacity)
    total = below + opacity
    share = np.divide(opacity, total, out=np.zeros_like(total), where=total > 0)[..., None]
    picture[..., :3] += (np.array(colour, np.float32) / 255 - picture[..., :3]) * share
    picture[..., 3] = total


@contextlib.contextmanager
def _still(*networks: nn.Module) -> Iterator[None]:
    """Evaluation mode while it lasts: nothing is dropped, nothing remembered."""
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
