"""The two steps: what each computes, which network each moves, and that a state is all there is."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gan_core.config import LIVE, PRESETS, ConfigError, TrainConfig
from gan_core.decay import in_force
from gan_core.networks.layers import Dropout
from gan_core.training import trainer as updates
from gan_core.training.setup import frozen_statistics
from gan_core.training.trainer import Trainer

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), np.uint8))
LABELS = torch.arange(40) % 4


def trainer(preset="", **changes):
    base = PRESETS[preset] if preset else TrainConfig()
    config = base.replace(**{"batch_size": 4, "threads": 1, "precision": "fp32", "device": "cpu", **changes})
    return Trainer(config, IMAGES, LABELS)


def tensors(network):
    return {name: t.clone() for name, t in network.state_dict().items()}


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("preset", ["quick", "course"])
def test_each_step_moves_its_own_network_and_not_one_bit_of_the_other(preset):
    t = trainer(preset)
    for step, moved, still, counts in ((t.discriminator_step, t.D, t.G, 4), (t.generator_step, t.G, t.D, 4)):
        before_moved, before_still = tensors(moved), tensors(still)
        step()
        assert same(before_still, tensors(still))
        assert not any(torch.equal(before_moved[name], value) for name, value in moved.state_dict().items())
        assert t.images_seen == counts
    assert t.step_count == 2
    t.step()
    assert t.step_count == 3 and t.images_seen == 8
    assert all(p.requires_grad for p in t.D.parameters())


def test_the_courses_two_losses_and_updates_are_those_of_a_computation_by_hand():
    """BCE by its definition, in float64, on the labels of the course; Adam by Kingma & Ba's formula."""
    t = trainer("course")
    G, D = copy.deepcopy(t.G).double(), copy.deepcopy(t.D).double()
    for layer in D.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    for layer in t.D.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    metrics = t.discriminator_step()

    index = t.draws.batch(0, 4, len(IMAGES))
    real = IMAGES[index].double() / 255
    with torch.no_grad():
        fake = G(t.draws.normal("z for D", 0, 4, 128).double()).double()
    real_noise, fake_noise = 0.05 * t.draws.uniform("label noise", 0, 2, 4)
    labels = torch.cat([1 + fake_noise, real_noise]).double()
    p = torch.sigmoid(D(torch.cat([fake, real])))
    loss = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()
    loss.backward()
    assert float(metrics["d_loss"]) == pytest.approx(loss.item(), rel=1e-5)
    assert float(metrics["d_real"]) == pytest.approx(1 - p[4:].mean().item(), rel=1e-5)  # the course's D answers "fake?"
    assert float(metrics["d_fake"]) == pytest.approx(1 - p[:4].mean().item(), rel=1e-5)
    for mine, theirs in zip(t.D.parameters(), D.parameters(), strict=True):
        moment = (1 - 0.9) * theirs.grad / (1 - 0.9)
        square = (1 - 0.999) * theirs.grad**2 / (1 - 0.999)
        theirs.data -= 1e-4 * moment / (square.sqrt() + 1e-8)
        # Adam's first step is nearly the gradient's sign: where that is all rounding, float32 and float64 may differ.
        clear = theirs.grad.abs() > 1e-6
        assert clear.double().mean() > 0.9
        torch.testing.assert_close(mine.double()[clear], theirs[clear], rtol=0, atol=2e-6)
        torch.testing.assert_close(t.opt_D.state[mine]["exp_avg"].double(), 0.1 * theirs.grad, rtol=1e-3, atol=1e-8)

    metrics = t.generator_step()
    p = torch.sigmoid(D(G(t.draws.normal("z for G", 1, 4, 128).double()).double()))
    assert float(metrics["g_loss"]) == pytest.approx(-(1 - p).log().mean().item(), rel=1e-4)  # misleading label 0: "real"


def test_d_steps_updates_the_discriminator_that_often_each_on_its_own_batch():
    t, seen = trainer(d_steps=3), []
    draw = t.draws.batch
    t.draws.batch = lambda index, *rest: seen.append(index) or draw(index, *rest)
    t.step()
    t.step()
    assert seen == [0, 1, 2, 3, 4, 5] and t.images_seen == 24 and t.step_count == 2


@pytest.mark.parametrize(("preset", "precision", "kind"),
                         [("course", "bf16", "step"), ("quick", "bf16", "step"), ("quick", "fp32", "mixed")])
def test_a_state_is_all_there_is(preset, precision, kind):
    """Twenty steps, or ten, a state through plain contiguous copies, and ten more in a fresh trainer: bit for bit the same."""
    def train(t, steps):
        for k in range(steps):
            last = [t.step, t.discriminator_step, t.generator_step][k % 3 if kind == "mixed" else 0]()
        return last

    whole, first, second = (trainer(preset, precision=precision) for _ in range(3))
    end = train(whole, 18)
    train(first, 9)
    # Another history in between: nothing but the state may count.
    second.step()
    second.load_state_dict({name: t.detach().clone(memory_format=torch.contiguous_format)
                            for name, t in first.state_dict().items()})
    torch.rand(5)
    again = train(second, 9)
    assert same(whole.state_dict(), second.state_dict())
    assert same(end, again)
    for parameter in second.D.parameters():
        assert second.opt_D.state[parameter]["exp_avg"].stride() == parameter.stride()


def test_adam_with_its_state_made_at_once_is_torchs_own():
    t = trainer()
    own = copy.deepcopy(t.D)
    lazy = torch.optim.Adam(own.parameters(), lr=t.config.lr_d, betas=t.config.betas_d, fused=True)
    for seed in range(3):
        for network, optimizer in ((t.D, t.opt_D), (own, lazy)):
            x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            network(x).square().sum().backward()
            optimizer.step()
    assert same(tensors(t.D), tensors(own))


def test_the_average_follows_its_definition_batch_statistics_included():
    t = trainer(ema_half_life=2.0)
    floats = [name for name, tensor in t.G.state_dict().items() if tensor.is_floating_point()]
    assert any("running_mean" in name for name in floats)
    shadow = {name: t.G.state_dict()[name].clone() for name in floats}
    for index in range(60):
        t.step()
        half_life = min(2.0, 0.05 * index)
        weight = 1 - 0.5 ** (1 / half_life) if half_life else 1.0
        for name in floats:
            shadow[name] += weight * (t.G.state_dict()[name] - shadow[name])
    for name, kept in t.G_ema.state_dict().items():
        if name in shadow:
            torch.testing.assert_close(kept, shadow[name], rtol=1e-5, atol=1e-7)
            assert not torch.equal(kept, t.G.state_dict()[name])
        else:
            assert torch.equal(kept, t.G.state_dict()[name])  # a counter
    raw = trainer(ema_half_life=0.0)
    raw.step()
    assert raw.G_ema is raw.G and not any(name.startswith("G_ema") for name in raw.state_dict())


def test_fakes_for_the_discriminator_leave_the_batch_statistics_alone_but_use_them():
    t = trainer()
    t.G.train()
    z = torch.randn(8, 32)
    before = tensors(t.G)
    with torch.no_grad(), frozen_statistics(t.G):
        frozen = t.G(z)
    assert same(before, tensors(t.G))
    with torch.no_grad():
        assert torch.equal(t.G(z), frozen), "the same pictures as in training"
    assert not same(before, tensors(t.G)), "afterwards they are kept again"


def test_the_seed_alone_decides_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = trainer("course", seed=3)
    one.step()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    two, other = trainer("course", seed=3), trainer("course", seed=4)
    two.step()
    other.step()
    assert same(one.state_dict(), two.state_dict()) and not same(one.state_dict(), other.state_dict())


def test_samples_are_the_averaged_generators_and_change_nothing():
    t = trainer()
    t.step()
    before = t.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    pictures = t.sample(5)
    assert pictures.shape == (5, 1, 28, 28) and pictures.dtype == torch.uint8
    assert torch.equal(t.sample(5), pictures) and same(before, t.state_dict())
    z = t.draws.normal("samples", 0, 5, 32)
    with torch.no_grad():
        wanted = t.G_ema(z) * 255
    assert (t.sample(z).float() - wanted).abs().max() <= 0.51
    assert t.G.training and not t.G_ema.training
    with torch.no_grad():  # two that no eye confuses
        for weights in t.G.parameters():
            weights.mul_(3)
        wanted = copy.deepcopy(t.G).eval()(z) * 255
    now = t.sample(z, generator="now")
    assert (now.float() - wanted).abs().max() <= 0.51 and not torch.equal(now, pictures) and t.G.training


def test_each_update_is_made_with_what_the_page_says_is_in_force(monkeypatch):
    falling = {"decay_steps": 4, "lr_final": 0.1, "penalty_final": 0.5, "lr_d": 0.002, "lr_g": 0.004, "r1": 1.0,
               "instance_noise": 0.2}
    t = Trainer(PRESETS["ring"].replace(batch_size=4, threads=1, precision="fp32", device="cpu", r2=0.0, **falling))
    weights, noise = [], []
    penalty, disguised = updates.penalty, t.batches.discriminator_input
    monkeypatch.setattr(updates, "penalty", lambda *given: weights.append(given[-1]) or penalty(*given))
    monkeypatch.setattr(t.batches, "discriminator_input", lambda *given: noise.append(given[-1]) or disguised(*given))
    for step in range(6):
        told = in_force(vars(t.config), step)
        t.step()
        used = {"lr_d": float(t.opt_D.param_groups[0]["lr"]), "lr_g": float(t.opt_G.param_groups[0]["lr"]),
                "r1": weights[-1] * t.config.r1, "instance_noise": noise[-1]}
        assert used == pytest.approx(told) and len(told) == 4
    assert used == pytest.approx({"lr_d": 0.0002, "lr_g": 0.0004, "r1": 0.5, "instance_noise": 0.0})


@pytest.mark.parametrize("loss", ["non-saturating", "course", "relativistic"])
def test_a_probe_is_what_both_networks_say_of_the_same_64_reals_and_fakes(loss):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (100, 1, 28, 28), np.uint8))
    t = Trainer(PRESETS["quick"].replace(loss=loss, batch_size=4, threads=1, precision="fp32", device="cpu"), images)
    t.step()
    modes = [network.training for network in (t.G, t.D, t.G_ema)]
    G, D = copy.deepcopy(t.G).eval(), copy.deepcopy(t.D).eval()
    order = t.draws.batch(0, 64, 100)
    with torch.no_grad():
        real, fake = D(images[order] / 255), D(G(t.draws.normal("samples", 0, 64, 32)))
    if loss == "relativistic":
        real, fake = real - fake.mean(), fake - real.mean()
    sign = -1 if loss == "course" else 1
    wanted = [torch.sigmoid(sign * logits).mean().item() for logits in (real, fake)]
    np.testing.assert_allclose(t.probe(), wanted, atol=1e-6)
    assert [network.training for network in (t.G, t.D, t.G_ema)] == modes


@pytest.mark.parametrize("warm", [200, pytest.param(400, marks=pytest.mark.slow), pytest.param(600, marks=pytest.mark.slow)])
def test_the_steps_of_one_player_show_in_the_probe_and_in_the_pictures_of_now(warm):
    """What the page says of ten single steps: the Counterfeiter's raise the verdict, the Expert's widen the gap."""
    t = Trainer(PRESETS["quick"].replace(threads=1, precision="fp32", device="cpu"))
    for _ in range(warm):
        t.step()
    (_, before), grids = t.probe(), {name: t.sample(64, generator=name).float() for name in ("now", "average")}
    for _ in range(10):
        t.generator_step()
    real, fake = t.probe()
    moved = {name: (t.sample(64, generator=name).float() - grid).abs().mean().item() for name, grid in grids.items()}
    assert fake > before + 0.02
    assert moved["now"] > 2 * moved["average"]
    for _ in range(10):
        t.discriminator_step()
    after_real, after_fake = t.probe()
    assert after_real - after_fake > real - fake + 0.02


def test_a_state_of_other_networks_is_refused_before_anything_changes():
    t = trainer()
    before = {name: value.clone() for name, value in t.state_dict().items()}
    with pytest.raises(ValueError, match="another kind"):
        t.load_state_dict(trainer("course").state_dict())
    with pytest.raises(ValueError, match="here it is"):
        t.load_state_dict(trainer(latent_dim=3).state_dict())
    with pytest.raises(ValueError, match="float16"):
        t.load_state_dict({name: value.half() for name, value in t.state_dict().items()})
    assert same(before, t.state_dict())


@pytest.mark.parametrize(("images", "word"), [
    (IMAGES.float(), "uint8"), (IMAGES[:0], "at least 1"), (IMAGES[:, 0], "uint8"), (IMAGES[..., :20], r"not \(1, 28, 20\)"),
    (IMAGES.expand(-1, 2, -1, -1), r"not \(2, 28, 28\)")])
def test_images_of_another_kind_are_refused_in_words(images, word):
    with pytest.raises(ValueError, match=word):
        Trainer(PRESETS["quick"], images)


def test_a_state_names_all_its_parts():
    parts = {name.split(".")[0] for name in trainer().state_dict()}
    assert parts == {"G", "D", "G_ema", "opt_G", "opt_D", "step_count", "images_seen"}


def test_a_losing_player_learns():
    """Against an opponent that stands still, each player's own loss falls."""
    for before, player, name in ((0, "discriminator_step", "d_loss"), (15, "generator_step", "g_loss")):
        t = trainer(batch_size=16)
        for _ in range(before):  # the generator needs an opponent that has something to be deceived about
            t.discriminator_step()
        losses = [float(getattr(t, player)()[name]) for _ in range(25)]
        assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_networks_of_ones_own_are_trained_in_place():
    G = nn.Sequential(nn.Linear(2, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    D = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(0))
    t = Trainer(PRESETS["course"].replace(latent_dim=2, batch_size=4), IMAGES, networks=(G, D))
    before = tensors(G)
    t.step()
    assert t.G is G and not same(before, tensors(G))


def test_penalties_are_added_as_their_formulas_say():
    """R1 and R2 of an independent computation, autograd on each kind by itself, in float64; what D pays moves D alone."""
    plain, taxed = trainer(), trainer(r1=3.0, r2=5.0)
    D = copy.deepcopy(plain.D).double()
    plain.discriminator_step()
    metrics = taxed.discriminator_step()
    assert not same(tensors(plain.D), tensors(taxed.D)) and same(tensors(plain.G), tensors(taxed.G))
    fresh = trainer(r1=3.0, r2=5.0)
    real = (IMAGES[fresh.draws.batch(0, 4, len(IMAGES))].double() / 255).requires_grad_(True)
    with torch.no_grad(), frozen_statistics(fresh.G):
        fake = fresh.G(fresh.batches.z("D", 0)).double()
    fake.requires_grad_(True)
    squares = [torch.autograd.grad(D(x).sum(), x, create_graph=True)[0].flatten(1).square().sum(1).mean() for x in (real, fake)]
    loss = torch.nn.functional.softplus(-D(real)).mean() + torch.nn.functional.softplus(D(fake)).mean()
    assert metrics["d_loss"].item() == pytest.approx(loss.item(), rel=1e-5), "the curve shows the loss without the tax"
    (loss + 1.5 * squares[0] + 2.5 * squares[1]).backward()
    for mine, theirs in zip(taxed.D.parameters(), D.parameters(), strict=True):
        torch.testing.assert_close(taxed.opt_D.state[mine]["exp_avg"].double(), theirs.grad, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("changes", [{"loss": name} for name in ("saturating", "relativistic", "hinge", "least-squares")] + [
    {"loss": "wasserstein", "gradient_penalty": 10.0}, {"r1": 1.0, "penalty": "approximate"},
    {"loss": "relativistic", "r1": 1.0, "r2": 1.0},
    {"decay_steps": 10, "r1": 1.0}, {"networks": "course", "latent_dim": 8, "r1": 1.0},
    {"label_smoothing": 0.1, "instance_noise": 0.2, "decay_steps": 10}, {"augment": "color,translation,cutout", "r2": 1.0},
    {"spectral_norm": True, "d_steps": 2}, {"spectral_norm": True, "loss": "relativistic", "r1": 1.0, "r2": 1.0}])
def test_every_kind_of_training_moves_one_network_at_a_time_and_resumes_exactly(changes):
    whole, first, second = (trainer(precision="bf16", **changes) for _ in range(3))
    for _ in range(6):
        end = whole.step()
    for _ in range(3):
        first.step()
        first.probe()  # whoever looks changes nothing
        first.sample(3, generator="now")
    second.load_state_dict({name: t.detach().clone() for name, t in first.state_dict().items()})
    for _ in range(3):
        again = second.step()
    assert same(whole.state_dict(), second.state_dict()) and same(end, again)
    assert all(0 <= end[name] <= 1 for name in ("d_real", "d_fake")) and all(value.isfinite() for value in end.values())
    before = tensors(whole.G)
    whole.discriminator_step()
    assert same(before, tensors(whole.G))
    before = tensors(whole.D)
    believed = whole.generator_step()
    assert same(before, tensors(whole.D))
    # Of a loss that compares without pairs there is nothing to say of fakes alone.
    assert ("d_fake" in believed) == (changes.get("loss") != "wasserstein")
    assert ("d_real" in believed) == (changes.get("loss") == "relativistic")


def test_rates_fall_along_half_a_cosine():
    t = trainer(decay_steps=4, lr_final=0.2, lr_d=1e-3, lr_g=2e-3)
    seen = []
    for _ in range(6):
        t.step()
        seen.append((t.opt_D.param_groups[0]["lr"], t.opt_G.param_groups[0]["lr"]))
    shares = [0.2 + 0.8 * (1 + np.cos(np.pi * min(1, k / 4))) / 2 for k in range(6)]
    np.testing.assert_allclose(seen, [(1e-3 * s, 2e-3 * s) for s in shares], rtol=1e-6)


def test_a_relative_losss_verdict_is_centred_between_the_two_kinds():
    t = trainer(loss="relativistic")
    with torch.no_grad():
        t.D.dense.bias += 7.0
    assert t.center() == pytest.approx(7.0, abs=0.5) and trainer().center() == 0.0


def test_noise_on_labels_that_a_loss_does_not_have_is_refused():
    with pytest.raises(ValueError, match="has no labels"):
        trainer(loss="hinge", label_noise=0.1)


def test_a_turned_knob_is_the_one_that_a_run_with_that_knob_has():
    """Ten steps, a change, ten steps: the same as a trainer of the new config that takes over the state in between."""
    first, fresh = trainer(), trainer(lr_d=1e-4, betas_g=(0.5, 0.9), r1=2.0, batch_size=6)
    for _ in range(5):
        first.step()
    fresh.load_state_dict({name: t.detach().clone() for name, t in first.state_dict().items()})
    changed = first.tune(lr_d=1e-4, betas_g=[0.5, 0.9], r1=2.0, batch_size=6, lr_g=first.config.lr_g)
    assert changed == {"lr_d": [2e-3, 1e-4], "betas_g": [[0.0, 0.99], [0.5, 0.9]], "r1": [0.0, 2.0], "batch_size": [4, 6]}
    for _ in range(5):
        one, other = first.step(), fresh.step()
    assert same(first.state_dict(), fresh.state_dict()) and same(one, other) and first.config == fresh.config


def test_a_tuning_keeps_the_moments_and_moves_no_tensor():
    t = trainer("course")
    t.step()
    before = {name: value.clone() for name, value in t.state_dict().items()}
    t.tune(lr_d=0.1, r1=1.0, label_noise=0.2, ema_half_life=10.0, d_steps=2)
    assert same(before, t.state_dict()) and not t.D.training, "under a penalty dropout is off"
    t.tune(r1=0.0)
    assert t.D.training


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"networks": "course"}, "networks cannot change while a run trains; these can: .*lr_d"), ({"lr": 1}, "lr cannot change"),
    ({"lr_d": -1}, "lr_d is -1; give a number"), ({"lr_g": 0.5, "seed": 3}, "seed cannot change"),
    ({"ema_half_life": 0}, "cannot change from or to 0"), ({"label_noise": 0.1}, "has no labels")])
def test_a_knob_that_cannot_be_turned_is_refused_in_words_and_nothing_changes(changes, sentence):
    t = trainer(loss="hinge")
    config = t.config
    with pytest.raises(ValueError, match=sentence):
        t.tune(**changes)
    assert t.config == config and t.batches.config == config
    assert {"lr_d", "r1", "batch_size"} <= LIVE and not {"seed", "networks", "latent_dim", "device"} & LIVE
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(("images", "labels", "changes", "sentence"), [
    (torch.zeros(4, 3), None, {}, r"give uint8 \(N, C, H, W\)"), (torch.zeros(4, 2), None, {}, "give points that differ"),
    (torch.full((4, 2), torch.nan), None, {}, "not all finite"), (IMAGES, torch.zeros(3), {}, "whole numbers"),
    (IMAGES, None, {"condition": "class"}, "have no labels"), (torch.randn(9, 2), None, {"augment": "translation"}, "for points"),
    (torch.zeros(4, 3, 28, 28, dtype=torch.uint8), None, {"networks": "course"}, "course make square pictures, side 28,")])
def test_data_that_cannot_be_trained_on_are_refused_in_words(images, labels, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Trainer(PRESETS["quick"].replace(**changes), images, labels)
