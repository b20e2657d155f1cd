"""Each measure against its definition written out in numpy, and against what must come out by its meaning."""

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial.distance
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.evaluation import measures as m


def cloud(seed, n=60, d=4, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def both(function, a, b, *rest):
    return function(torch.from_numpy(a), torch.from_numpy(b), *rest)


@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(0.1, 3))
def test_frechet_distance_is_its_formula_with_a_matrix_root(seed, shift, scale):
    a, b = cloud(seed), cloud(seed + 1, 45, shift=shift, scale=scale)
    S, T = np.cov(a.T), np.cov(b.T)
    wanted = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(S + T - 2 * scipy.linalg.sqrtm(S @ T).real)
    assert both(m.frechet_distance, a, b) == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_frechet_distance_of_known_gaussians():
    a = cloud(0, 200_000, 2)
    assert both(m.frechet_distance, a, a) == pytest.approx(0, abs=1e-9)
    assert both(m.frechet_distance, a, a + np.array([3.0, 4.0])) == pytest.approx(25, rel=1e-9)
    assert both(m.frechet_distance, a, 2 * a) == pytest.approx(2, rel=0.03)  # (2 - 1)^2 in each of two dimensions
    flat = a.copy()
    flat[:, 1] = 0  # a singular covariance is no obstacle
    assert both(m.frechet_distance, a, flat) == pytest.approx(1, rel=0.03)


@given(st.integers(0, 10_000))
def test_kernel_distance_is_its_double_sum(seed):
    a, b = cloud(seed, 9, 3), cloud(seed + 1, 7, 3, 0.5)
    k = lambda x, y: (x @ y / 3 + 1) ** 3  # noqa: E731
    wanted = (np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
              + np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
              - 2 * np.mean([k(x, y) for x in a for y in b]))
    assert both(m.kernel_distance, a, b) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_kernel_distance_is_unbiased():
    found = [both(m.kernel_distance, cloud(2 * s, 30), cloud(2 * s + 1, 30)) for s in range(300)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 300**0.5 and min(found) < 0


@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(-1, 3))
def test_density_and_coverage_are_counted_as_defined(seed, k, shift):
    real, fake = cloud(seed, 25, 3), cloud(seed + 1, 20, 3, shift)
    radii = np.sort(np.linalg.norm(real[:, None] - real[None], axis=2), axis=1)[:, k]
    inside = np.linalg.norm(real[:, None] - fake[None], axis=2) <= radii[:, None]
    assert both(m.density_coverage, real, fake, k) == pytest.approx((inside.sum() / (k * len(fake)), inside.any(1).mean()))


def test_collapse_shows_in_coverage_and_copies_in_the_nearest_ratio():
    real, held_out = cloud(0, 400), cloud(1, 200)
    healthy, collapsed = cloud(2, 400), np.repeat(cloud(3, 1), 400, axis=0) + cloud(4, 400) * 0.01
    assert both(m.density_coverage, real, healthy)[1] > 0.9 > 0.1 > both(m.density_coverage, real, collapsed)[1]
    copies = real + cloud(5, 400) * 0.02
    ratio = lambda fake: m.nearest_ratio(*map(torch.from_numpy, (real, held_out, fake)))  # noqa: E731
    assert 0.8 < ratio(healthy) < 1.2 and ratio(copies) < 0.2 and ratio(real) == 0


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(-1, 2))
def test_parts_of_the_fakes_count_like_the_whole(seed, size, shift):
    real, fake = (torch.from_numpy(cloud(seed + k, 25, 3, k * shift)) for k in (0, 1))
    neighbours = m.Neighbours(real)
    for start in range(0, 25, size):
        neighbours.fit(start, start + size)
    for _ in range(2):  # asked again, it begins anew
        neighbours.begin(fake)
        for start in range(0, 25, size):
            neighbours.count_fakes(start, start + size)
        assert neighbours.precision_recall() == m.precision_recall(real, fake)
        assert neighbours.density_coverage() == m.density_coverage(real, fake)


def test_the_nearest_ratio_is_a_ratio_of_medians():
    train, held_out, fake = cloud(0, 30, 3), cloud(1, 15, 3), cloud(2, 11, 3, 0.4)
    nearest = lambda rows: np.sort(scipy.spatial.distance.cdist(rows, train).min(1))[(len(rows) - 1) // 2]  # noqa: E731
    assert m.nearest_ratio(*map(torch.from_numpy, (train, held_out, fake))) == pytest.approx(nearest(fake) / nearest(held_out))


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any))
def test_the_divergence_of_classes_is_relative_entropy(counts):
    wanted = scipy.stats.entropy(counts, np.full(len(counts), 1 / len(counts)))
    assert m.class_divergence(torch.tensor(counts)) == pytest.approx(wanted, abs=1e-12)


def test_missing_classes_and_the_floor_of_fair_draws():
    assert m.class_divergence(torch.ones(10)) == pytest.approx(0)
    assert m.class_divergence(torch.tensor([1.0, 1, 0, 0])) == pytest.approx(np.log(2))
    uneven = m.class_divergence(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
    assert uneven == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    dice = np.random.default_rng(0)
    throws = [np.bincount(dice.integers(10, size=1000), minlength=10) for _ in range(400)]
    floor = np.mean([m.class_divergence(torch.from_numpy(throw)) for throw in throws])
    assert floor == pytest.approx(9 / 2000, rel=0.15)


@pytest.mark.parametrize("function", [m.frechet_distance, m.kernel_distance, m.density_coverage, m.precision_recall])
def test_other_shapes_and_too_few_rows_are_refused(function):
    for a, b in (((5,), (5,)), ((9, 2), (9, 3)), ((1, 2), (9, 2))):
        a, b = torch.zeros(a), torch.zeros(b)
        with pytest.raises(ValueError, match=r"give|needs"):
            function(a, b)
