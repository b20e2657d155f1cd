"""DiffAugment against direct constructions, one picture at a time, and its gradients against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.losses import augmentation as a

CASES = given(st.sampled_from([(1, 28, 28), (3, 32, 32), (1, 64, 64), (2, 9, 12)]), st.integers(0, 2**31))


def some(shape, seed, n=5, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, *shape, generator=generator, dtype=dtype) + 0.01,
            torch.rand(n, a.NUM_DRAWS, generator=generator, dtype=dtype))


@CASES
def test_a_translation_is_a_roll_of_a_padded_picture(shape, seed):
    images, u = some(shape, seed)
    found = a.augment(images, "translation", u)
    for image, moved, draws in zip(images, found, u[:, 3:5], strict=True):
        reach = [int(size / 8 + 0.5) for size in shape[1:]]
        down, right = (int(draw * (2 * r + 1)) - r for draw, r in zip(draws.tolist(), reach, strict=True))
        padded = np.pad(image.numpy(), ((0, 0), (reach[0], reach[0]), (reach[1], reach[1])))
        wanted = np.roll(padded, (down, right), (1, 2))[:, reach[0]:-reach[0], reach[1]:-reach[1]]
        np.testing.assert_array_equal(moved.numpy(), wanted)


@CASES
def test_a_cutout_is_a_square_of_half_a_side_cut_by_the_rim(shape, seed):
    images, u = some(shape, seed)
    found = a.augment(images, "cutout", u)
    for image, cut, draws in zip(images, found, u[:, 5:7].tolist(), strict=True):
        wanted, sides = image.clone(), [int(size / 2 + 0.5) for size in shape[1:]]
        begin = [int(d * (size + 1 - side % 2)) - side // 2 for d, size, side in zip(draws, shape[1:], sides, strict=True)]
        (top, bottom), (left, right) = ((max(0, b), b + side) for b, side in zip(begin, sides, strict=True))
        wanted[:, top:bottom, left:right] = 0
        assert torch.equal(cut, wanted)
        assert 0.06 <= (cut == 0).float().mean() <= 0.31, "from a quarter of the square, at a corner, to all of it"


def test_colours_move_as_said():
    images, u = some((3, 8, 8), 0)
    still = torch.full_like(u, 0.5)  # the middle of every range
    torch.testing.assert_close(a.augment(images, "color", still), images)
    bright, grey, flat = still.clone(), still.clone(), still.clone()
    bright[:, 0], grey[:, 1], flat[:, 2] = 1.0, 0.0, 0.0
    torch.testing.assert_close(a.augment(images, "color", bright), images + 0.25)
    torch.testing.assert_close(a.augment(images, "color", grey), images.mean(1, keepdim=True).expand_as(images))
    mean = images.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(a.augment(images, "color", flat), (images + mean) / 2)
    torch.testing.assert_close(a.augment(images[:, :1], "color", grey), images[:, :1])  # grey pictures have no saturation


@pytest.mark.parametrize("policy", ["translation", "cutout", "color", "color,translation,cutout"])
def test_gradients_first_and_second_are_those_of_finite_differences(policy):
    images, u = some((2, 4, 5), 3, n=2, dtype=torch.double)
    images.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: a.augment(x, policy, u), images)
    assert torch.autograd.gradgradcheck(lambda x: a.augment(x, policy, u).square(), images)


def test_draws_are_spread_over_all_moves_each_as_likely():
    u = (torch.arange(0, 90000) + 0.5)[:, None].expand(-1, 2) / 90000
    rows, inside = a._source_index(28, u[:, 0])
    shifts = (14 - rows[:, 14]).bincount(minlength=9) if (14 - rows[:, 14]).min() >= 0 else (rows[:, 14] - 10).bincount()
    assert len(shifts) == 9 and shifts.max() - shifts.min() <= 1
    assert not inside.all() and inside.float().mean() > 0.9


def test_a_longer_policy_leaves_the_others_draws_alone_and_none_does_nothing():
    images, u = some((1, 28, 28), 1)
    assert a.augment(images, "none", u) is images
    both = a.augment(images, "translation,cutout", u)
    assert torch.equal(both, a.augment(a.augment(images, "translation", u), "cutout", u))
    with pytest.raises(ValueError, match=r"'shear' is not known; join any of these by commas: color, translation, cutout"):
        a.augment(images, "translation,shear", u)
