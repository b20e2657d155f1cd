"""Modes, good samples and reverse KL: against the definition in a loop, and against what a perfect sampler must give."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gan_core.data.points import CENTRES, SIGMA
from gan_core.evaluation.modes import NUM_SAMPLES, assess_modes


def perfect(name, n, seed):
    rng = np.random.default_rng(seed)
    return CENTRES[name][rng.integers(len(CENTRES[name]), size=n)] + SIGMA[name] * rng.standard_normal((n, 2))


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 5), st.floats(0.05, 0.5))
def test_it_is_the_protocol_written_out(seed, n, k, sigma):
    rng = np.random.default_rng(seed)
    points, centres = rng.normal(size=(n, 2)), rng.normal(size=(k, 2))
    counts = [0] * k
    for point in points:
        away = [math.dist(point, centre) for centre in centres]
        if min(away) <= 3 * sigma:
            counts[away.index(min(away))] += 1
    found = assess_modes(points, centres, sigma)
    assert found["modes"] == sum(c > 0 for c in counts) and found["good"] == pytest.approx(sum(counts) / n)
    if sum(counts):
        # scipy's entropy with two arguments is KL(first || second): what was generated first, as "reverse" has it.
        assert found["mode_kl"] == pytest.approx(stats.entropy(counts, [1] * k), abs=1e-12)


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_a_perfect_sampler_finds_all_is_good_but_for_the_tails_and_even_to_chance(name):
    modes = len(CENTRES[name])
    found = [assess_modes(perfect(name, NUM_SAMPLES, seed), CENTRES[name], SIGMA[name]) for seed in range(40)]
    assert all(f["modes"] == modes for f in found)
    # 1 - exp(-9 / 2) of a Gaussian in the plane lies within 3 sigma: 98.9%.
    assert np.mean([f["good"] for f in found]) == pytest.approx(1 - math.exp(-4.5), abs=0.001)
    # 2 N KL is about chi squared with K - 1 degrees: .0048 for the grid, of the good points.
    n = NUM_SAMPLES * (1 - math.exp(-4.5))
    kl = np.array([f["mode_kl"] for f in found])
    assert stats.kstest(2 * n * kl, stats.chi2(modes - 1).cdf).pvalue > 1e-4
    if name == "grid":
        assert kl.mean() == pytest.approx(0.0048, rel=0.15)


def test_what_collapse_costs():
    centres, sigma = CENTRES["grid"], SIGMA["grid"]
    one = assess_modes(np.repeat(centres[:1], 100, axis=0), centres, sigma)
    assert one == {"modes": 1, "good": 1.0, "mode_kl": pytest.approx(math.log(25))}
    half = assess_modes(centres[np.arange(120) % 12], centres, sigma)
    assert half == {"modes": 12, "good": 1.0, "mode_kl": pytest.approx(math.log(25 / 12))}
    between = assess_modes(centres + 1.0, centres, sigma)  # a point in the middle of four modes is no mode's
    assert between == {"modes": 0, "good": 0.0, "mode_kl": pytest.approx(math.log(25))}


def test_the_edge_is_three_sigma_and_nothing_is_far_from_nowhere():
    centre = [[0.0, 0.0]]
    assert assess_modes(np.array([[0.0, 3.0]]), centre, 1.0)["good"] == 1
    assert assess_modes(np.array([[0.0, 3.0001]]), centre, 1.0)["good"] == 0
    lost = torch.tensor([[math.nan, 0.0], [math.inf, 0.0], [0.0, 0.0]])
    assert assess_modes(lost, centre, 1.0) == {"modes": 1, "good": pytest.approx(1 / 3), "mode_kl": 0.0}


@pytest.mark.parametrize(("points", "centres", "sigma"), [
    (np.zeros((0, 2)), np.zeros((3, 2)), 1.0), (np.zeros((4, 2)), np.zeros((3, 3)), 1.0), (np.zeros(4), np.zeros((3, 2)), 1.0),
    (np.zeros((4, 2)), np.zeros((3, 2)), 0.0)])
def test_what_cannot_be_assessed_is_refused_in_a_sentence(points, centres, sigma):
    with pytest.raises(ValueError, match=r"give .*\.|give a number above 0\."):
        assess_modes(points, centres, sigma)
