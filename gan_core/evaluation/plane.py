"""Frames of a GAN of 2-D points: the fakes, D's opinion of every place, the arrows of its gradient, and how G bends space.

The layers are those of GAN Lab [1809.01587]. Functions take plain networks and tensors and return JSON values or small pictures.

Shapes: N points; S = `HEAT_SIZE` squares a side of the heat map; L = `LATTICE_SIZE` nodes a side of the lattice.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from torch import nn

from ..data import rendering
from ..losses.adversarial import probability_real

NUM_FAKES, NUM_ARROWS, NUM_REALS = 512, 64, 1000  # points of a frame: fakes, fakes with an arrow, reals
HEAT_SIZE, LATTICE_SIZE = 48, 17  # places a side
REACH = 2.0  # the lattice of z spans [-2, 2]: 95% of each normal coordinate
LONGEST_ARROW = 1 / 8  # of the view's side
# An arrow of that length means this slope of D's logit across the view's side: along the arrow the logit rises by 1. All frames
# have this one scale, so that an equilibrium looks calm: on the ring the steepest slopes are 10 at first, 1 when it has settled.
FULL_ARROW = 8.0
SIDE = 280  # pixels of the small picture, shown at half that size for high-density screens
HEAT_OPACITY, HEAT_EXPONENT = 0.45, 3  # as the page draws D's opinion, see ui/web/lib/heat.js
BLUE, ORANGE = (0, 103, 177), (219, 104, 24)  # D's colour and G's, between those of the light and of the dark page

Point = list[float]  # [x, y] in the data's units


class RealPoints(TypedDict):
    """The file real.json."""

    points: list[Point]  # at most NUM_REALS
    view: list[float]  # x0, x1, y0, y1


class HeatMap(TypedDict):
    """D's probability of "real", from the bottom row up."""

    size: int
    values: str  # base64 of size * size bytes, 255 for probability 1


class GeneratedPoints(TypedDict):
    """What one generator makes, and where the discriminator would push it."""

    fake: list[Point]  # of the z of the run's fixed samples
    push: list[Point]  # arrows at the first fakes
    warp: list[list[Point]]  # G's image of the lattice of z: LATTICE_SIZE rows of as many nodes


class PlaneFrame(GeneratedPoints):
    """A file frames/<seq>-<step>.json: the points of the averaged generator, and where there is an average, those of `now`."""

    heat: HeatMap
    view: list[float]  # x0, x1, y0, y1
    full_arrow: float  # FULL_ARROW; in older frames, whose arrows had a scale of their own, it is absent
    longest_arrow: float  # LONGEST_ARROW; absent in older frames
    now: NotRequired[GeneratedPoints]  # by the generator as it is


@dataclass(frozen=True)
class Axes:
    """The map between the data's units u and the networks' n, u = n * scale + middle, and the part of the plane that is shown.

    view: (x0, x1, y0, y1), a square in the data's units. The names are those of the live file.
    """

    middle: tuple[float, float]
    scale: float
    view: tuple[float, float, float, float]

    @classmethod
    def around(cls, points: torch.Tensor, middle: torch.Tensor, scale: float) -> Axes:
        """Axes that show all of `points` (N, 2)."""
        low, high = points.amin(0).double(), points.amax(0).double()
        x0, x1, y0, y1 = rendering.bounding_square(low.tolist(), high.tolist())
        return cls((float(middle[0]), float(middle[1])), float(scale), (x0, x1, y0, y1))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Axes:
        """The inverse of `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        x, y = (float(value) for value in values["middle"])
        x0, x1, y0, y1 = (float(value) for value in values["view"])
        scale = float(values["scale"])
        if not (all(map(math.isfinite, (x, y, x0, x1, y0, y1, scale))) and x0 < x1 and y0 < y1 and scale > 0):
            raise ValueError(f"these are no axes: {str(values)[:80]}")
        return cls((x, y), scale, (x0, x1, y0, y1))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def side(self) -> float:
        return self.view[1] - self.view[0]

    def to_networks(self, points: torch.Tensor) -> torch.Tensor:
        """(N, 2) in the data's units -> (N, 2) in the networks'."""
        return (points - points.new_tensor(self.middle)) / self.scale

    def to_data(self, points: torch.Tensor) -> torch.Tensor:
        """(N, 2) of a network -> (N, 2) float32 in the data's units, on the CPU.

        NaN becomes the middle; far outliers are clamped, so that JSON can hold them.
        """
        return points.detach().float().cpu().nan_to_num(0.0).clamp(-1e4, 1e4) * self.scale + torch.tensor(self.middle)

    def rounded(self, points: torch.Tensor) -> list[Any]:
        """Nested lists, to about a two-thousandth of the view: finer than a pixel, and half the bytes."""
        digits = min(12, max(0, math.ceil(math.log10(2000 / self.side))))
        return np.round(points.double().numpy(), digits).tolist()


def real_points(points: torch.Tensor, axes: Axes) -> RealPoints:
    """The content of real.json, of (N <= NUM_REALS, 2) points in the data's units."""
    return {"points": axes.rounded(points.float().cpu()), "view": list(axes.view)}


def make_frame(G: nn.Module, D: nn.Module, z: torch.Tensor, axes: Axes, *, now: nn.Module | None = None,
               fake_is_one: bool = False, center: float = 0.0) -> PlaneFrame:
    """One frame: fakes of z (N, latent_dim), arrows at the first NUM_ARROWS of them, D's opinion and G's bent lattice.

    G: the averaged generator; `now`: the generator as it is, where that is another one. `center`: the logit at which D is
    undecided. Computed in float32 and evaluation mode; the networks keep their state.
    """
    with _evaluation_mode(G, D, *([now] if now is not None else [])):
        values = heat_map(D, axes, fake_is_one=fake_is_one, center=center, device=z.device)
        frame: PlaneFrame = {
            **_generated_points(G, D, z, axes, fake_is_one), "view": list(axes.view), "full_arrow": FULL_ARROW,
            "longest_arrow": LONGEST_ARROW,
            "heat": {"size": HEAT_SIZE, "values": base64.b64encode(values.tobytes()).decode()}}
        if now is not None:
            frame["now"] = _generated_points(now, D, z, axes, fake_is_one)
    return frame


def _generated_points(G: nn.Module, D: nn.Module, z: torch.Tensor, axes: Axes, fake_is_one: bool) -> GeneratedPoints:
    with torch.no_grad():
        fake, warp = G(z), G(latent_lattice(z.shape[1]).to(z.device))  # (N, 2), (L * L, 2)
    arrows = push_vectors(D, fake[:NUM_ARROWS], axes.side / axes.scale, fake_is_one)
    return {"fake": axes.rounded(axes.to_data(fake)), "push": axes.rounded((arrows * axes.scale).cpu()),
            "warp": axes.rounded(axes.to_data(warp).view(LATTICE_SIZE, LATTICE_SIZE, 2))}


def latent_lattice(latent_dim: int) -> torch.Tensor:
    """z on a lattice over [-2, 2]^2, row by row, (L * L, latent_dim): z_1 varies in a row, z_2 between rows; the rest is 0."""
    line = torch.linspace(-REACH, REACH, LATTICE_SIZE)
    z = torch.zeros(LATTICE_SIZE * LATTICE_SIZE, latent_dim)
    z[:, :2] = torch.cartesian_prod(line, line).flip(1)[:, :latent_dim]
    return z


def push_vectors(D: nn.Module, fake: torch.Tensor, side: float, fake_is_one: bool = False) -> torch.Tensor:
    """Where each fake (N, 2) would look more real to D: arrows (N, 2) along the gradient of its realness by x, in x's units.

    side: the view's, in the networks' units. An arrow of LONGEST_ARROW of it means a slope of FULL_ARROW across the side; shorter
    ones are in proportion, and none is longer. Where D is flat, or no longer a number, an arrow is 0.
    """
    with torch.enable_grad():
        x = fake.detach().float().requires_grad_(True)
        (slope,) = torch.autograd.grad(D(x).sum(), x)
    slope = slope.nan_to_num(0.0, 0.0, 0.0) * (side / FULL_ARROW)  # (N, 2), in full arrows
    slope = slope / slope.norm(dim=1, keepdim=True).clamp_min(1.0)
    return (-slope if fake_is_one else slope) * (LONGEST_ARROW * side)


@torch.no_grad()
def heat_map(D: nn.Module, axes: Axes, size: int = HEAT_SIZE, *, fake_is_one: bool = False, center: float = 0.0,
             device: torch.device | str = "cpu") -> np.ndarray:
    """255 * P(real) at the middles of size x size squares of the view, (size, size) uint8, row 0 at the bottom."""
    x0, x1, y0, y1 = axes.view
    middles = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(y0 + (y1 - y0) * middles, x0 + (x1 - x0) * middles, indexing="ij")
    points = axes.to_networks(torch.stack([x, y], -1).view(-1, 2))  # (size * size, 2)
    probability = probability_real(D(points).reshape(-1) - center, fake_is_one)
    return probability.nan_to_num(0.0).mul(255).round().to(torch.uint8).view(size, size).cpu().numpy()


def to_json(values: Mapping[str, Any]) -> bytes:
    """Compact JSON; ValueError for a number that is not finite."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


# The small picture beside the sliders.


def draw_backdrop(heat: np.ndarray, fakes: np.ndarray, axes: Axes) -> np.ndarray:
    """A heat map (S, S) uint8 and some fakes (N, 2), as colour and opacity (SIDE, SIDE, 4) float32 in [0, 1], top row first."""
    picture = np.zeros((SIDE, SIDE, 4), np.float32)
    values = torch.from_numpy(heat.astype(np.float32) / 255)[None, None]  # (1, 1, S, S)
    smooth = nn.functional.interpolate(values, (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0].numpy()[::-1]
    _blend(picture, BLUE, HEAT_OPACITY * smooth**HEAT_EXPONENT / (smooth**HEAT_EXPONENT + (1 - smooth) ** HEAT_EXPONENT))
    dots = np.zeros((SIDE, SIDE), np.float32)
    for x, y in _to_pixels(fakes, axes):
        column, row = round(float(x) - 1), round(float(y) - 1)
        if 0 <= column < SIDE - 2 and 0 <= row < SIDE - 2:
            dots[row:row + 3, column:column + 3] = 0.7
    _blend(picture, ORANGE, dots)
    return picture


def draw_point(backdrop: np.ndarray, point: tuple[float, float], axes: Axes) -> np.ndarray:
    """The backdrop with one driven point, (SIDE, SIDE, 4) uint8; a point outside appears at the edge, as half a mark."""
    picture = backdrop.copy()
    (x, y), = np.clip(_to_pixels(np.array([point]), axes), 0, SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5
    distance = np.hypot(columns - x, rows - y)
    _blend(picture, (255, 255, 255), np.clip(13.5 - distance, 0, 1) * 0.85)  # a white rim sets the mark off from the fakes
    _blend(picture, ORANGE, np.clip(12 - distance, 0, 1) * np.clip(distance - 8, 0, 1))
    _blend(picture, ORANGE, np.clip(5.5 - distance, 0, 1))
    return np.round(picture * 255).astype(np.uint8)


def _to_pixels(points: np.ndarray, axes: Axes) -> np.ndarray:
    """Points (N, 2) in the data's units as (column, row) of the small picture."""
    x0, x1, y0, y1 = axes.view
    return (points - (x0, y1)) / (x1 - x0, y0 - y1) * SIDE


def _blend(picture: np.ndarray, colour: tuple[int, int, int], opacity: np.ndarray) -> None:
    """Lays one colour over an RGBA picture in place [Porter and Duff 1984]. opacity: (SIDE, SIDE) in [0, 1]."""
    below = picture[..., 3] * (1 - opacity)
    total = below + opacity
    share = np.divide(opacity, total, out=np.zeros_like(total), where=total > 0)[..., None]
    picture[..., :3] += (np.array(colour, np.float32) / 255 - picture[..., :3]) * share
    picture[..., 3] = total


@contextlib.contextmanager
def _evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Networks in evaluation mode inside the block, and as they were after it."""
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)
