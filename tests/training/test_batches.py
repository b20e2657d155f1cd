"""What a step is given: ranges, units and classes, and that nothing but the seed, the step and the player decides it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.config import TrainConfig
from gan_core.training.batches import Batches

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4), np.uint8))
LABELS = torch.arange(40) % 5
POINTS = torch.from_numpy(np.random.default_rng(1).normal(7.0, 3.0, (500, 2)).astype(np.float32))


def batches(data=IMAGES, labels=LABELS, **changes):
    return Batches(TrainConfig(**{"batch_size": 8, "latent_dim": 3, **changes}), data, labels)


def test_points_are_centred_and_scaled_inside_and_come_back_in_their_own_units():
    b = batches(POINTS, None)
    inside = b.encode(POINTS)
    assert inside.mean(0).abs().max() < 1e-5 and float(inside.std()) == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(b.decode(inside), POINTS, rtol=1e-5, atol=1e-5)


def test_pictures_are_in_unit_range_inside_and_come_back_to_the_bit():
    b = batches()
    assert b.encode(IMAGES).dtype == torch.float32 and torch.equal(b.decode(b.encode(IMAGES)), IMAGES)


@given(st.integers(0, 10**6))
def test_the_players_draws_differ_and_are_a_function_of_the_step(index):
    one, two = batches(), batches()
    for draw in (lambda b, p: b.z(p, index), lambda b, p: b.real(index, p)[0],
                 lambda b, p: b.discriminator_input(torch.zeros(8, 1, 4, 4), p, index, 1.0)):
        assert torch.equal(draw(one, "D"), draw(two, "D"))
        assert not torch.equal(draw(one, "D"), draw(one, "G"))


def test_classes_come_with_their_pictures_and_only_when_asked_for():
    b = batches(condition="class")
    assert b.classes == 5 and batches().classes == 0 and batches().real(3)[1] is None
    for player in ("D", "G"):
        pictures, labels = b.real(3, player)
        for picture, label in zip(pictures, labels, strict=True):
            where = [i for i in range(40) if torch.equal(b.encode(IMAGES[i]), picture)]
            assert LABELS[where[0]] == label
    assert torch.equal(b.generator_labels(3), b.real(3, "G")[1])
    assert b.fixed_z(7)[1].tolist() == [0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize(("fake_is_one", "sign"), [(False, -1), (True, 1)])
def test_smoothing_moves_the_label_of_reals_towards_that_of_fakes_and_noise_moves_both(fake_is_one, sign):
    real, fake = batches(label_smoothing=0.1).label_noise(0, fake_is_one)
    assert torch.allclose(real, torch.full((8,), sign * 0.1)) and not fake.any()
    real, fake = batches(label_smoothing=0.1, label_noise=0.2).label_noise(0, fake_is_one)
    assert (real - sign * 0.1).min() >= 0 and (real - sign * 0.1).max() <= 0.2 and 0 < fake.max() <= 0.2
    assert batches().label_noise(0, fake_is_one) == (None, None)


def test_nothing_is_disguised_unless_asked_and_noise_has_its_size():
    b, x = batches(), torch.rand(8, 1, 28, 28)
    assert b.discriminator_input(x, "D", 0, 0.0) is x
    assert float((b.discriminator_input(x, "D", 0, 0.3) - x).std()) == pytest.approx(0.3, rel=0.05)
    assert not torch.equal(batches(augment="translation").discriminator_input(x, "D", 0, 0.0), x)
