"""The losses against their closed forms in float64, written here from the definition of cross-entropy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gan_core import registry
from gan_core.losses.adversarial import COURSE, NON_SATURATING, mean_realness, probability_real

LOSSES = pytest.mark.parametrize("name", registry.LOSSES)
logits = hnp.arrays(np.float32, st.integers(1, 40).map(lambda n: (n,)), elements=st.floats(-25, 25, width=32))
huge = hnp.arrays(np.float32, st.integers(1, 20).map(lambda n: (n,)), elements=st.floats(-(2.0**119), 2.0**119, width=32))


def cross_entropy(logit, label):
    """-y log p - (1 - y) log(1 - p) with p = 1 / (1 + exp(-l)), element by element, float64; labels above 1 allowed."""
    logit = logit.astype(np.longdouble)
    log_p, log_not_p = -np.log1p(np.exp(-logit)), -np.log1p(np.exp(logit))
    return -label * log_p - (1 - label) * log_not_p


def equal_parts(values):
    half = max(1, len(values) // 2)
    return values[:half], values[-half:]


@given(logits, st.integers(0, 2**32 - 1))
def test_course_d_is_the_mean_cross_entropy_of_one_labelled_batch(values, seed):
    real, fake = equal_parts(values)
    rng = np.random.default_rng(seed)
    real_noise, fake_noise = (0.05 * rng.random((2, len(real)))).astype("float32")
    labels = np.concatenate([np.ones(len(fake)) + fake_noise, np.zeros(len(real)) + real_noise])
    assert labels.max() > 1 or not fake_noise.any()
    expected = cross_entropy(np.concatenate([fake, real]), labels).mean()
    loss = COURSE.d_loss(*map(torch.from_numpy, (real, fake, real_noise, fake_noise)))
    assert loss.item() == pytest.approx(float(expected), rel=1e-5, abs=1e-5)


@given(logits)
def test_course_without_noise_and_its_generator(values):
    real, fake = equal_parts(values)
    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    expected = np.concatenate([cross_entropy(fake, 1.0), cross_entropy(real, 0.0)]).mean()
    assert COURSE.d_loss(r, f).item() == pytest.approx(float(expected), rel=1e-5, abs=1e-5)
    # The misleading label is 0, "real".
    assert COURSE.g_loss(f, r).item() == pytest.approx(float(cross_entropy(fake, 0.0).mean()), rel=1e-5, abs=1e-5)
    assert COURSE.g_loss(f).item() == COURSE.g_loss(f, r).item()


@given(logits, st.integers(0, 2**32 - 1))
def test_non_saturating_is_cross_entropy_with_real_labelled_one(values, seed):
    real, fake = equal_parts(values)
    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    noise = (0.5 * np.random.default_rng(seed).random((2, len(real)))).astype("float32")
    plain = cross_entropy(real, 1.0).mean() + cross_entropy(fake, 0.0).mean()
    noisy = cross_entropy(real, 1.0 + noise[0]).mean() + cross_entropy(fake, 0.0 + noise[1]).mean()
    assert NON_SATURATING.d_loss(r, f).item() == pytest.approx(float(plain), rel=1e-5, abs=1e-5)
    assert NON_SATURATING.d_loss(r, f, *map(torch.from_numpy, noise)).item() == pytest.approx(float(noisy), rel=1e-5, abs=1e-5)
    assert NON_SATURATING.g_loss(f).item() == pytest.approx(float(cross_entropy(fake, 1.0).mean()), rel=1e-5, abs=1e-5)


def test_course_agrees_with_keras_from_logits():
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 3, (2, 16)).astype("float32")
    noise = (0.05 * rng.random((2, 16))).astype("float32")
    labels = np.concatenate([1 + noise[1], noise[0]])
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels, np.concatenate([fake, real]))
    loss = COURSE.d_loss(*map(torch.from_numpy, (real, fake, noise[0], noise[1])))
    assert loss.item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in registry.LOSSES if name != "least-squares"])  # squares do overflow
@given(values=huge)
def test_huge_logits_give_finite_losses_and_gradients(name, values):
    loss = registry.resolve(registry.LOSSES, name)
    real, fake = (torch.tensor(part, requires_grad=True) for part in equal_parts(values))
    noise = torch.full_like(real, 0.05).detach()
    for value in (loss.d_loss(real, fake, noise, noise), loss.g_loss(fake, real)):
        assert value.shape == () and value.isfinite()
        for gradient in torch.autograd.grad(value, (real, fake), allow_unused=True):
            # A cross-entropy's gradient is p - y for each logit, divided by at least N; y reaches 1.05.
            assert gradient is None or (gradient.isfinite().all() and gradient.abs().max() <= 1.06 / len(real))


@LOSSES
def test_gradients_push_the_two_players_apart(name):
    loss = registry.resolve(registry.LOSSES, name)
    sign = -1.0 if loss.fake_is_one else 1.0
    real, fake = (torch.zeros(4, requires_grad=True) for _ in range(2))
    on_real, on_fake = torch.autograd.grad(loss.d_loss(real, fake), (real, fake))
    assert (-sign * on_real > 0).all() and (-sign * on_fake < 0).all()  # D: real up, fake down
    (on_fake,) = torch.autograd.grad(loss.g_loss(fake, real), fake)
    assert (-sign * on_fake > 0).all()  # G: fake up


@pytest.mark.parametrize("name", ["non-saturating", "course"])
def test_a_discriminator_without_a_clue_loses_log_two_a_picture(name):
    loss = registry.resolve(registry.LOSSES, name)
    zero = torch.zeros(8)
    players = 1 if loss is COURSE else 2  # the course averages over both kinds, Goodfellow adds them
    assert loss.d_loss(zero, zero).item() == pytest.approx(players * np.log(2))
    assert loss.g_loss(zero).item() == pytest.approx(np.log(2))


@LOSSES
def test_half_precision_logits_are_lifted_to_float32(name):
    loss = registry.resolve(registry.LOSSES, name)
    real, fake = torch.randn(2, 32, generator=torch.Generator().manual_seed(0)).bfloat16()
    noise = torch.full((32,), 0.01)
    for low, full in ((loss.d_loss(real, fake, noise, noise), loss.d_loss(real.float(), fake.float(), noise, noise)),
                      (loss.g_loss(fake, real), loss.g_loss(fake.float(), real.float()))):
        assert low.dtype == torch.float32
        assert torch.equal(low, full)


@given(logits)
def test_probability_real_has_the_losses_sign(values):
    tensor = torch.from_numpy(values)
    real_is_one, fake_is_one = probability_real(tensor, False), probability_real(tensor, True)
    np.testing.assert_allclose(real_is_one.numpy(), 1 / (1 + np.exp(-values.astype(np.float64))), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(real_is_one + fake_is_one, torch.ones_like(tensor))
    assert probability_real(tensor.bfloat16(), True).dtype == torch.float32


def test_every_registered_name_leads_to_code():
    for table in (registry.NETWORKS, registry.LOSSES, registry.DATASETS):
        for name, entry in table.items():
            assert registry.resolve(table, name) is not None, name
            assert entry.about
    with pytest.raises(KeyError, match="choose one of: course, quick"):
        registry.resolve(registry.NETWORKS, "nobody")


FORMULAS = {  # (D's loss, G's loss) of reals a and fakes b, float64, from the papers
    "saturating": (lambda a, b: cross_entropy(a, 1.0).mean() + cross_entropy(b, 0.0).mean(),
                   lambda a, b: -cross_entropy(b, 0.0).mean()),
    "relativistic": (lambda a, b: cross_entropy(a - b, 1.0).mean(), lambda a, b: cross_entropy(b - a, 1.0).mean()),
    "hinge": (lambda a, b: np.maximum(0, 1 - a).mean() + np.maximum(0, 1 + b).mean(), lambda a, b: -b.mean()),
    "least-squares": (lambda a, b: ((a - 1) ** 2 + (b + 1) ** 2).mean() / 2, lambda a, b: ((b - 1) ** 2).mean() / 2),
    "wasserstein": (lambda a, b: b.mean() - a.mean(), lambda a, b: -b.mean()),
}


@pytest.mark.parametrize("name", FORMULAS)
@given(values=logits)
def test_each_loss_is_its_papers_formula(name, values):
    loss, (d_loss, g_loss) = registry.resolve(registry.LOSSES, name), FORMULAS[name]
    real, fake = equal_parts(values)
    a, b = real.astype(np.float64), fake.astype(np.float64)
    r, f = torch.from_numpy(real), torch.from_numpy(fake)
    assert loss.d_loss(r, f).item() == pytest.approx(float(d_loss(a, b)), rel=1e-4, abs=1e-4)
    assert loss.g_loss(f, r).item() == pytest.approx(float(g_loss(a, b)), rel=1e-4, abs=1e-4)


def test_only_relative_losses_ignore_a_common_shift_and_their_belief_does_too():
    real, fake = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    for name in registry.LOSSES:
        loss = registry.resolve(registry.LOSSES, name)
        moved = torch.isclose(loss.d_loss(real, fake), loss.d_loss(real + 3, fake + 3), atol=1e-5)
        assert bool(moved) == loss.relative, name
        sums = (torch.stack(mean_realness(loss, real + k, fake + k)).sum() for k in (0, 3))
        assert torch.isclose(*sums, atol=1e-5) == loss.relative
        assert mean_realness(loss, torch.zeros(4), torch.zeros(4)) == (0.5, 0.5)


def test_only_paired_losses_of_the_generator_look_at_reals():
    fake = torch.randn(8, generator=torch.Generator().manual_seed(0))
    for name in registry.LOSSES:
        loss = registry.resolve(registry.LOSSES, name)
        real = torch.full((8,), 0.5, requires_grad=True)
        made = loss.g_loss(fake, real)
        used = torch.autograd.grad(made + 0 * real.sum(), real)[0].abs().sum() > 0
        assert bool(used) == loss.paired, name


def test_the_rows_say_which_losses_are_relative():
    assert {name for name, entry in registry.LOSSES.items() if entry.relative} == {
        name for name in registry.LOSSES if registry.resolve(registry.LOSSES, name).relative} != set()


@pytest.mark.parametrize("name", registry.LOSSES)
def test_a_loss_can_be_negative_where_its_row_says_so_and_nowhere_else(name):
    loss, below = registry.resolve(registry.LOSSES, name), registry.LOSSES[name].below_zero
    generator = torch.Generator().manual_seed(0)
    pairs = [3 * torch.randn(2, 8, generator=generator) + torch.tensor([[move], [-move]])
             for move in (-9, 0, 9) for _ in range(20)]
    lowest = {"d_loss": min(loss.d_loss(real, fake).item() for real, fake in pairs),
              "g_loss": min(loss.g_loss(fake, real).item() for real, fake in pairs)}
    assert {key for key, value in lowest.items() if value < 0} == set(below)
    if below.get("g_loss") == "logarithm":
        assert max(loss.g_loss(fake, real).item() for real, fake in pairs) <= 0
    for real, fake in pairs:  # what the page says of it
        if below.get("d_loss") == "distance":
            assert (loss.d_loss(real, fake) < 0) == (real.mean() > fake.mean())
        if below.get("g_loss") == "score":
            assert (loss.g_loss(fake, real) < 0) == (fake.mean() > 0)
