"""Points in the plane, made here: the literature's ring and grid [VEEGAN 1705.07761], GAN Lab's four sets, a spiral, drawings.

Where there are modes every one has as many points as the others; they come in turn, so that any first few are of all modes alike.
Ring and grid are in their papers' units, everything else lies in the unit square, y upwards.
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
    """An entry of the registry: the set of this name, the same at every call. Raises DataError where a drawing is not there."""
    if request.name in CENTRES:
        return LoadedData(*_made(request.name))
    rng = np.random.default_rng(0)
    if request.name == "drawn":
        from . import uploads  # here, because it knows pictures too: the other sets are there without Pillow
        points, modes = drawn(rng, uploads.load_points(request.argument))
    else:
        points, modes = SETS[request.name](rng)
    return LoadedData(points.astype(np.float32), modes)


def ring() -> tuple[np.ndarray, np.ndarray]:
    """8 modes on a circle of radius 1: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _made("ring")


def grid() -> tuple[np.ndarray, np.ndarray]:
    """25 modes on {-4, -2, 0, 2, 4}^2: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _made("grid")


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
    """Two arms that wind once and a quarter round (.5, .5), out to .42, sigma .01; the label says which arm.

    A share s of an arm lies at radius .42 s and angle 2.5 pi s. The root of a uniform draw for s makes the arms about equally
    dense all along, for a piece ds has a length of about ds times s.
    """
    arms = np.arange(COUNT, dtype=np.int64) % 2
    s, n = np.sqrt(rng.random(COUNT)), rng.standard_normal((COUNT, 2))
    angle = 2.5 * np.pi * s + np.pi * arms
    return 0.5 + 0.42 * s[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.01 * n, arms


def drawn(rng: np.random.Generator, points: np.ndarray) -> PointSet:
    """Points by hand, (K, 2) in [0, 1], each as often as the others, jittered by .02."""
    return points[np.arange(COUNT) % len(points)] + JITTER * rng.standard_normal((COUNT, 2)), None


# Each a function of one random generator.
SETS: dict[str, Callable[[np.random.Generator], PointSet]] = {
    "line": line, "two-gaussians": two_gaussians, "lab-ring": lab_ring, "disjoint": disjoint, "spiral": spiral}


def _around(rng: np.random.Generator, centres: np.ndarray, sigmas: np.ndarray) -> PointSet:
    """Gaussians with centres and sigmas (K, 2)."""
    modes = np.arange(COUNT, dtype=np.int64) % len(centres)
    return centres[modes] + sigmas[modes] * rng.standard_normal((COUNT, 2)), modes


def _made(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The same points at every call."""
    centres = CENTRES[name]
    modes = np.arange(COUNT, dtype=np.int64) % len(centres)
    noise = np.random.default_rng(0).standard_normal((COUNT, 2))
    return (centres[modes] + SIGMA[name] * noise).astype(np.float32), modes
