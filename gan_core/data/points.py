"""The literature's two sets of points in the plane, made here: Gaussian modes on a ring and on a grid [VEEGAN 1705.07761].

Every mode has as many points as the others; they come in turn, so that any first few are of all modes alike.
"""

from __future__ import annotations

import numpy as np

from .asking import Ask, Loaded

COUNT = 100_000  # points of a set, as many as PacGAN [1712.04086] trains on

_ANGLES = 2 * np.pi * np.arange(8) / 8
_SIDE = np.arange(-4.0, 5.0, 2.0)
# Where the modes are, (K, 2) float64, and the standard deviation of each in both directions, by the data set's name.
CENTRES: dict[str, np.ndarray] = {
    "ring": np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1),
    "grid": np.stack(np.meshgrid(_SIDE, _SIDE, indexing="ij"), axis=-1).reshape(-1, 2),
}
SIGMA: dict[str, float] = {"ring": 0.01, "grid": 0.05}


def source(ask: Ask) -> Loaded:
    """An entry of the registry: the set of this name."""
    return Loaded(*_made(ask.name))


def ring() -> tuple[np.ndarray, np.ndarray]:
    """8 modes on a circle of radius 1: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _made("ring")


def grid() -> tuple[np.ndarray, np.ndarray]:
    """25 modes on {-4, -2, 0, 2, 4}^2: points (100000, 2) float32, and the mode of each, (100000,) int64."""
    return _made("grid")


def _made(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The same points at every call."""
    centres = CENTRES[name]
    modes = np.arange(COUNT, dtype=np.int64) % len(centres)
    noise = np.random.default_rng(0).standard_normal((COUNT, 2))
    return (centres[modes] + SIGMA[name] * noise).astype(np.float32), modes
