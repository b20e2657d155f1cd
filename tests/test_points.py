"""The two sets of points: as many of each mode, where the papers put them, as narrow as they say; the same at every call."""

import numpy as np
import pytest
from scipy import stats

from gan_core import registry
from gan_core.data.asking import Ask
from gan_core.data.points import CENTRES, SIGMA

SETS = pytest.mark.parametrize("name", ["ring", "grid"])


def test_the_modes_are_where_the_papers_put_them():
    ring, grid = CENTRES["ring"], CENTRES["grid"]
    assert len(ring) == 8 and len(grid) == 25
    np.testing.assert_allclose(np.hypot(*ring.T), 1)
    neighbours = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 2 * np.sin(np.pi / 8))  # the side of a regular octagon
    assert {tuple(c) for c in grid.tolist()} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert SIGMA == {"ring": 0.01, "grid": 0.05}


@SETS
def test_each_mode_is_a_gaussian_of_its_width_and_as_large_as_the_others(name):
    loaded = registry.resolve(registry.DATASETS, name)(Ask(name))
    points, modes = loaded.data, loaded.labels
    assert points.dtype == np.float32 and points.shape == (100_000, 2) and modes.dtype == np.int64
    assert np.ptp(np.bincount(modes, minlength=len(CENTRES[name]))) == 0
    assert np.ptp(np.bincount(modes[:1000], minlength=len(CENTRES[name]))) <= 1  # a first look sees all modes alike
    offsets = (points - CENTRES[name][modes]) / SIGMA[name]
    for k in range(len(CENTRES[name])):
        for axis in (0, 1):
            assert stats.kstest(offsets[modes == k, axis], "norm").pvalue > 1e-5
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.02


@SETS
def test_every_call_gives_the_same_points(name):
    load = registry.resolve(registry.DATASETS, name)
    first, second = load(Ask(name)), load(Ask(name))
    np.testing.assert_array_equal(first.data, second.data)
    np.testing.assert_array_equal(first.labels, second.labels)
