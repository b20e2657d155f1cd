"""The sets of points: as many of each mode, where the papers and GAN Lab put them, as narrow as they say; always the same."""

import numpy as np
import pytest
from scipy import stats

from gan_core import registry
from gan_core.data import uploads
from gan_core.data.points import CENTRES, SIGMA
from gan_core.data.points import SETS as MADE
from gan_core.data.types import DataRequest

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
    loaded = registry.resolve(registry.DATASETS, name)(DataRequest(name))
    points, modes = loaded.data, loaded.labels
    assert points.dtype == np.float32 and points.shape == (100_000, 2) and modes.dtype == np.int64
    assert np.ptp(np.bincount(modes, minlength=len(CENTRES[name]))) == 0
    assert np.ptp(np.bincount(modes[:1000], minlength=len(CENTRES[name]))) <= 1  # a first look sees all modes alike
    offsets = (points - CENTRES[name][modes]) / SIGMA[name]
    for k in range(len(CENTRES[name])):
        for axis in (0, 1):
            assert stats.kstest(offsets[modes == k, axis], "norm").pvalue > 1e-5
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.02


@pytest.mark.parametrize("name", ["ring", "grid", *MADE])
def test_every_call_gives_the_same_points(name):
    load = registry.resolve(registry.DATASETS, name)
    first, second = load(DataRequest(name)), load(DataRequest(name))
    np.testing.assert_array_equal(first.data, second.data)
    assert (first.labels is None) == (second.labels is None)
    if first.labels is not None:
        np.testing.assert_array_equal(first.labels, second.labels)


def lab(name):
    loaded = registry.resolve(registry.DATASETS, name)(DataRequest(name))
    assert loaded.data.dtype == np.float32 and loaded.data.shape == (100_000, 2)
    return loaded.data.astype(np.float64), loaded.labels


def ks(values, law):
    assert stats.kstest(values[::10], law).pvalue > 1e-4
    if isinstance(law, str) and law == "norm":  # a width that is a little wrong shows in the spread first
        assert abs(values.std() - 1) < 0.015


def test_the_line_is_gan_labs():
    """x = .8 - .75 u + .01 n and y = .6 + .3 u + .01 n: along the line uniform, across it normal."""
    points, labels = lab("line")
    assert labels is None
    along, across = np.array([-0.75, 0.3]), np.array([0.3, 0.75])
    length = np.hypot(*along)
    offset = points - [0.8, 0.6]
    ks(offset @ across / length / 0.01, "norm")
    u, noise = np.random.default_rng(5).random(50_000), np.random.default_rng(6).standard_normal(50_000)
    ks(offset @ along / length, u * length + 0.01 * noise)
    np.testing.assert_allclose(points.mean(0), [0.8 - 0.375, 0.6 + 0.15], atol=0.003)
    np.testing.assert_allclose(points.var(0), np.array([0.75, 0.3]) ** 2 / 12 + 1e-4, rtol=0.02)


@pytest.mark.parametrize("name, centres, sigmas", [
    ("two-gaussians", [(0.3, 0.7), (0.7, 0.4)], [(0.1, 0.1), (0.05, 0.2)]),
    ("disjoint", [(0.35, 0.75), (0.75, 0.6), (0.45, 0.35)], [(0.025, 0.025)] * 3)])
def test_the_clouds_are_gan_labs(name, centres, sigmas):
    points, labels = lab(name)
    assert np.ptp(np.bincount(labels)) <= 1 and len(np.unique(labels)) == len(centres)
    for k, (centre, sigma) in enumerate(zip(centres, sigmas, strict=True)):
        offsets = (points[labels == k] - centre) / sigma
        ks(offsets[:, 0], "norm")
        ks(offsets[:, 1], "norm")
        assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.02


def test_the_ring_is_gan_labs():
    points, labels = lab("lab-ring")
    assert labels is None
    t = 2 * np.pi * np.random.default_rng(7).random(50_000)
    n = np.random.default_rng(8).standard_normal((50_000, 2))
    ks(points[:, 0], 0.5 + 0.3 * np.cos(t) + 0.025 * n[:, 0])
    ks(points[:, 1], 0.45 + 0.25 * np.sin(t) + 0.025 * n[:, 1])
    x, y = (points - [0.5, 0.45]).T
    ks((x / 0.3) ** 2 + (y / 0.25) ** 2, (np.cos(t) + n[:, 0] / 12) ** 2 + (np.sin(t) + n[:, 1] / 10) ** 2)


def test_the_spiral_has_two_even_arms_that_mirror_each_other():
    points, labels = lab("spiral")
    assert np.bincount(labels).tolist() == [50_000, 50_000]
    offset = (points - 0.5) * np.where(labels == 0, 1, -1)[:, None]  # half a turn lays one arm on the other
    radius = np.hypot(*offset.T)
    assert radius.max() < 0.42 + 0.06 and points.min() > 0 and points.max() < 1
    far = radius > 0.08
    turned = (np.arctan2(offset[:, 1], offset[:, 0]) - 2.5 * np.pi * radius / 0.42 + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(turned[far] * radius[far]).std() < 0.05 and abs(turned[far].mean()) < 0.01
    ks((radius[(radius > 0.1) & (radius < 0.38)] ** 2 - 0.01) / (0.38 ** 2 - 0.01), "uniform")  # evenly along the arm


def test_a_drawing_is_its_points_jittered(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    drawing = [[0.25, 0.5], [0.75, 0.5], [0.5, 1.0]]
    loaded = registry.resolve(registry.DATASETS, "drawn")(DataRequest("drawn", uploads.save_points(drawing)))
    assert loaded.data.shape == (100_000, 2) and loaded.data.dtype == np.float32 and loaded.labels is None
    for k, point in enumerate(drawing):
        for axis in (0, 1):
            ks((loaded.data[k::3, axis] - point[axis]) / 0.02, "norm")
