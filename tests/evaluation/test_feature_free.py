"""Measures without features: each against its definition, and they notice what they promise: blur, collapse, copies."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.spatial.distance
import scipy.stats
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_core.data.digits import load
from gan_core.evaluation import feature_free as f
from gan_core.evaluation.measures import Neighbours

N = 300


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=["grey", "colour"])
def sets(request):
    """Real pictures, others of the same source, and what a bad generator makes of them."""
    images = torch.from_numpy(load()[0])
    if request.param == "colour":  # 32x32, each channel its own ink
        tint = torch.rand(len(images), 3, 1, 1, generator=torch.Generator().manual_seed(1))
        images = (F.pad(images, (2, 2, 2, 2)) * tint).to(torch.uint8)
    train, others = images[::2], images[1::2]
    real, good = train[::len(train) // N][:N], f.to_unit_range(others[::len(others) // N][:N])
    return train, real, {
        "good": good, "blurred": F.avg_pool2d(good, 3, 1, 1), "noisy": (good + 0.1 * noise(*good.shape)).clamp(0, 1),
        "one": good[:1].expand_as(good).contiguous(), "ten": good[::N // 10].repeat(N // 10, 1, 1, 1),
        "copies": (f.to_unit_range(train[3::len(train) // N][:N]) + 0.01 * noise(*good.shape)).clamp(0, 1), "pale": good * 0.7}


def test_patches_notice_blur_noise_a_wrong_contrast_and_collapse_but_not_copies(sets):
    _, real, made = sets
    found = {name: f.patch_distance(real, fake) for name, fake in made.items()}
    assert f.patch_distance(real, real) < found["good"] < 0.09
    assert all(found[name] > 1.7 * found["good"] for name in ("blurred", "noisy", "one", "ten", "pale")), found
    assert found["one"] > found["ten"]
    assert found["copies"] < 1.5 * found["good"]


def test_coverage_in_random_features_notices_missing_kinds(sets):
    _, real, made = sets
    network = f.random_features(tuple(real.shape[1:]))
    neighbours = Neighbours(network(f.to_unit_range(real)))
    neighbours.fit(0, N)
    found = {}
    for name, fake in made.items():
        neighbours.begin(network(fake))
        neighbours.count_fakes(0, N)
        found[name] = neighbours.density_coverage()[1]
    assert found["good"] > 0.9 > 0.25 > found["ten"] > found["one"] and found["copies"] > 0.85, found
    assert torch.equal(network(made["good"]), f.random_features(tuple(real.shape[1:]))(made["good"])), "the same every time"


def test_diversity_falls_with_collapse(sets):
    _, real, made = sets
    found = {name: f.diversity(f.thumbnails(real), f.thumbnails(fake)) for name, fake in made.items()}
    assert found["good"] == pytest.approx(1, abs=0.05) and found["one"] == pytest.approx(0, abs=1e-3) and found["pale"] < 0.75


def test_the_nearest_picture_tells_copies_from_new_ones(sets):
    train, _, made = sets
    nearest = f.NearestPicture(f.thumbnails(train), probe=200)
    for start in range(0, 200, 70):
        nearest.fit(start, start + 70)
    found = {name: nearest.ratio(nearest.nearest(f.thumbnails(fake))) for name, fake in made.items()}
    assert 0.85 < found["good"] < 1.15 and found["copies"] < 0.3
    assert nearest.ratio(nearest.nearest(f.thumbnails(train[:50]))) == 0, "a copy's distance is 0, not almost"


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_sliced_wasserstein_is_the_mean_of_one_dimensional_distances(seed, width):
    dice = np.random.default_rng(seed)
    a, b, directions = dice.normal(size=(30, width)), dice.normal(0.5, 2, (30, width)), dice.normal(size=(width, 4))
    wanted = np.mean([scipy.stats.wasserstein_distance(a @ w, b @ w) for w in directions.T])
    assert f.sliced_wasserstein(*map(torch.from_numpy, (a, b, directions))) == pytest.approx(wanted, rel=1e-9)


@given(st.integers(14, 70), st.integers(14, 70), st.sampled_from([1, 3]))
@settings(max_examples=15)
def test_a_pyramid_is_blur_halve_and_difference_and_gives_the_picture_back(height, width, channels):
    images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(height))
    levels = f.laplacian_pyramid(images)
    assert len(levels) == f.num_levels((channels, height, width)) and min(levels[-1].shape[2:]) < 14
    blurred = scipy.ndimage.convolve1d(images.numpy(), f.BINOMIAL.numpy(), axis=2, mode="mirror")
    halved = torch.from_numpy(scipy.ndimage.convolve1d(blurred, f.BINOMIAL.numpy(), axis=3, mode="mirror")[:, :, ::2, ::2].copy())
    up = F.interpolate(halved, (height, width), mode="bilinear", align_corners=False)
    assert torch.allclose(levels[0], images - up, atol=1e-5)
    back = levels[-1]
    for level in reversed(levels[:-1]):
        back = level + F.interpolate(back, level.shape[2:], mode="bilinear", align_corners=False)
    assert torch.allclose(back, images, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 33, 64)])
def test_parts_count_like_the_whole_and_other_numbers_are_refused(shape):
    real, fake = (torch.rand(24, *shape, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    patches = f.SlicedPatches(24, shape)
    patches.add(real)
    for level in range(patches.levels):
        patches.fit(level)
    patches.begin()
    for part in fake.split(7):
        patches.add(part)
    parts = np.mean([patches.distance(level) for level in range(patches.levels)])
    assert parts == pytest.approx(f.patch_distance(real, fake), rel=1e-5)
    patches.begin()
    patches.add(fake[:5])
    with pytest.raises(ValueError, match="5 pictures were added where 24"):
        patches.distance(0)


def test_diversity_is_the_ratio_of_mean_pairwise_distances():
    a, b = np.random.default_rng(0).normal(size=(20, 3)), np.random.default_rng(1).normal(0, 2, (25, 3))
    pairs = [np.mean(scipy.spatial.distance.pdist(rows, "sqeuclidean")) for rows in (a, b)]
    wanted = np.sqrt(pairs[1] / pairs[0])
    assert f.diversity(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("mean", "contrast", "noise"), [(235, 3, 0.3), (200, 10, 3)])
def test_the_nearest_picture_is_found_where_products_are_rounded_as_on_a_card(monkeypatch, mean, contrast, noise):
    """Bright pictures that differ little, with products of TF32: ten bits of each number."""
    generator = torch.Generator().manual_seed(0)
    shapes = torch.cat([F.interpolate(torch.randn(n, 1, 8, 8, generator=generator), 64, mode="bilinear") for n in (2000, 64)])
    shapes[2000:] += noise / contrast * torch.randn(64, 1, 64, 64, generator=generator)
    rows = f.thumbnails((mean + contrast * shapes).round().clamp(0, 255).to(torch.uint8))
    exact = torch.cdist(rows[2000:].double(), rows[:2000].double(), compute_mode="donot_use_mm_for_euclid_dist").min(1)
    rounded = lambda rows: (rows.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32)  # noqa: E731
    multiply = torch.addmm
    monkeypatch.setattr(torch, "addmm", lambda added, a, b, **more: multiply(added, rounded(a), rounded(b), **more))
    found, distances = f.NearestPicture(rows[:2000]).search(rows[2000:])
    assert torch.equal(found, exact.indices) and distances.numpy() == pytest.approx(exact.values.numpy(), rel=1e-5)


def test_the_nearest_other_row_is_found_as_defined():
    train, fake = np.random.default_rng(0).normal(size=(40, 3)), np.random.default_rng(1).normal(size=(9, 3))
    table = scipy.spatial.distance.cdist(train, train)
    np.fill_diagonal(table, np.inf)
    nearest = f.NearestPicture(torch.from_numpy(train), probe=40)
    nearest.fit(0, 40)
    found = nearest.nearest(torch.from_numpy(fake))
    assert found.numpy() == pytest.approx(scipy.spatial.distance.cdist(fake, train).min(1))
    assert nearest.ratio(found) == pytest.approx(float(found.median()) / np.sort(table.min(1))[19])
    rows, distances = nearest.search(torch.from_numpy(fake))
    assert rows.tolist() == scipy.spatial.distance.cdist(fake, train).argmin(1).tolist() and torch.equal(distances, found)
    rows, _ = nearest.search(torch.from_numpy(train), torch.arange(40))
    assert rows.tolist() == table.argmin(1).tolist(), "without its own row"
