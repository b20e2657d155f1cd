"""Points in the plane: the literature's ring and grid [VEEGAN 1705.07761], GAN Lab's four sets, a spiral, drawings.

All modes of a set have the same number of points and alternate, so the first points of a set come from all modes equally.
Ring and grid are in their papers' units; everything else lies in the unit square, y upwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .types import DataRequest, LoadedData

COUNT = 100_000  # points of a set, as many as PacGAN [1712.04086] trains on
JITTER = 0.02  # standard deviation around a drawn point, of the unit square

_ANGLES = 2 * np.pi * np.arange(8) / 8
_SIDE = np.arange(-4.0, 5.0, 2.0)
# Where the modes are, (K, 2) float64, and the standard deviation of each in both directions, by the data set's name.
CENTRES: dict[str, np.ndarray] = {
    "ring": np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1),
    "grid": np.stack(np.meshgrid(_SIDE, _SIDE, indexing="ij"), axis=-1).reshape(-1, 2),
}
SIGMA: dict[str, float] = {"ring": 0.01, "grid": 0.05}
PointSet = tuple[np.ndarray, np.ndarray | None]  # points (COUNT, 2) float64, modes (COUNT,) int64 or None


def source(request: DataRequest) -> LoadedData:
    """The registry's entry: the set of this name, the same at every call. Raises DataError for a missing drawing."""
    if request.name in CENTRES:
        return LoadedData(*_mixture(request.name))
    rng = np.random.default_rng(0)
    if request.name == "drawn":
        from . import uploads  # here, because it imports Pillow, which the other sets do not need
        points, modes = from_drawing(rng, uploads.load_points(request.argument))
    else:
        points, modes = SETS[request.name](rng)
    return LoadedData(points.astype(np.float32), modes)


def ring() -> tuple[np.ndarray, np.ndarray]:
    """8 modes on a circle of radius 1: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _mixture("ring")


def grid() -> tuple[np.ndarray, np.ndarray]:
    """25 modes on {-4, -2, 0, 2, 4}^2: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _mixture("grid")


def line(rng: np.random.Generator) -> PointSet:
    """GAN Lab's line: (.8 - .75 u + .01 n, .6 + .3 u + .01 n), u uniform on [0, 1], n normal."""
    u, n = rng.random(COUNT), rng.standard_normal((COUNT, 2))
    return np.stack([0.8 - 0.75 * u, 0.6 + 0.3 * u], axis=1) + 0.01 * n, None


def two_gaussians(rng: np.random.Generator) -> PointSet:
    """GAN Lab's two: a round one at (.3, .7) with sigma .1, a tall one at (.7, .4) with sigmas .05 and .2."""
    return _around(rng, np.array([[0.3, 0.7], [0.7, 0.4]]), np.array([[0.1, 0.1], [0.05, 0.2]]))


def lab_ring(rng: np.random.Generator) -> PointSet:
    """GAN Lab's ring: (.5 + .3 cos t + .025 n, .45 + .25 sin t + .025 n), t uniform on the circle."""
    t, n = 2 * np.pi * rng.random(COUNT), rng.standard_normal((COUNT, 2))
    return np.stack([0.5 + 0.3 * np.cos(t), 0.45 + 0.25 * np.sin(t)], axis=1) + 0.025 * n, None


def disjoint(rng: np.random.Generator) -> PointSet:
    """GAN Lab's three islands, sigma .025, at (.35, .75), (.75, .6) and (.45, .35)."""
    return _around(rng, np.array([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]]), np.full((3, 2), 0.025))


def spiral(rng: np.random.Generator) -> PointSet:
    """Two arms that wind one and a quarter times around (.5, .5), out to .42, sigma .01; the label is the arm.

    Position s on an arm, from 0 to 1, has radius .42 s and angle 2.5 pi s. s is the root of a uniform draw, which makes the
    density about even along the arm, because a piece ds has a length of about s ds.
    """
    arms = np.arange(COUNT, dtype=np.int64) % 2
    s, n = np.sqrt(rng.random(COUNT)), rng.standard_normal((COUNT, 2))
    angle = 2.5 * np.pi * s + np.pi * arms
    return 0.5 + 0.42 * s[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.01 * n, arms


def from_drawing(rng: np.random.Generator, points: np.ndarray) -> PointSet:
    """Points drawn by hand, (K, 2) in [0, 1], each repeated equally often, jittered by .02."""
    return points[np.arange(COUNT) % len(points)] + JITTER * rng.standard_normal((COUNT, 2)), None


# Name -> a function of one random generator.
SETS: dict[str, Callable[[np.random.Generator], PointSet]] = {
    "line": line, "two-gaussians": two_gaussians, "lab-ring": lab_ring, "disjoint": disjoint, "spiral": spiral}


def _around(rng: np.random.Generator, centres: np.ndarray, sigmas: np.ndarray) -> PointSet:
    """Gaussians with centres and sigmas (K, 2)."""
    modes = np.arange(COUNT, dtype=np.int64) % len(centres)
    return centres[modes] + sigmas[modes] * rng.standard_normal((COUNT, 2)), modes


def _mixture(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Ring or grid, the same points at every call."""
    centres = CENTRES[name]
    modes = np.arange(COUNT, dtype=np.int64) % len(centres)
    noise = np.random.default_rng(0).standard_normal((COUNT, 2))
    return (centres[modes] + SIGMA[name] * noise).astype(np.float32), modes
