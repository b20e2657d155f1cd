"""The networks for points: their formulas in numpy, the waves' kernel, and what they refuse."""

import numpy as np
import pytest
import torch

from gan_core import registry
from gan_core.config import TrainConfig
from gan_core.losses.regularizers import squared_gradients
from gan_core.networks.mlp import BOUND, FREQUENCY_STD, Discriminator, build, build_bounded
from gan_core.networks.pair import build_pair
from gan_core.training.trainer import Trainer
from gan_core.ui.words import text


def weights(network):
    return {name: value.detach().double().numpy() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("latent_dim", [1, 2, 64])
def test_they_are_their_formulas(latent_dim):
    torch.manual_seed(0)
    G, D = registry.resolve(registry.NETWORKS, "mlp")(latent_dim)
    z = torch.randn(7, latent_dim)
    x, w = z.double().numpy(), weights(G)
    for k in (1, 2, 3, 4):
        x = np.tanh(x @ w[f"hidden{k}.weight"].T + w[f"hidden{k}.bias"])
    x = x @ w["head.weight"].T + w["head.bias"]
    fake = G(z)
    assert fake.shape == (7, 2) and fake.dtype == torch.float32
    np.testing.assert_allclose(fake.detach(), x, atol=1e-5)
    w = weights(D)
    phases = x @ w["frequencies"]
    x = np.concatenate([np.sin(phases), np.cos(phases)], axis=1)
    for k in (1, 2):
        x = x @ w[f"hidden{k}.weight"].T + w[f"hidden{k}.bias"]
        x = np.where(x > 0, x, 0.2 * x)
    logits = D(fake)
    assert logits.shape == (7,) and logits.dtype == torch.float32
    np.testing.assert_allclose(logits.detach(), (x @ w["head.weight"].T + w["head.bias"])[:, 0], atol=1e-4)


def test_a_bounded_generator_is_the_same_bent_into_a_square():
    torch.manual_seed(0)
    G, _ = build_bounded()
    free, _ = build()
    torch.nn.init.normal_(G.head.weight, std=3.0)
    free.load_state_dict(G.state_dict())
    z = torch.randn(1000, 2)
    far, fake = free(z), G(z)
    assert far.abs().max() > 2 * BOUND and fake.abs().max() <= BOUND
    torch.testing.assert_close(fake, BOUND * (far / BOUND).tanh())
    assert f"{BOUND} deviations" in registry.NETWORKS["mlp-bounded"].about
    for lang, written in (("en", f"{BOUND}"), ("fr", f"{BOUND}".replace(".", ","))):
        assert written in text("choices.networks.mlp-bounded", lang)


def test_all_but_the_waves_is_learnt_and_the_waves_are_kept():
    G, D = build()
    D(G(torch.randn(64, 2))).sum().backward()
    assert all(p.grad is not None and (p.grad != 0).any() for p in [*G.parameters(), *D.parameters()])
    assert "frequencies" in D.state_dict() and "frequencies" not in dict(D.named_parameters())


def test_the_waves_see_a_gaussian_neighbourhood():
    """Products of waves approximate exp(-(PITCH |x - y|)^2 / 2), Rahimi & Recht 2007: near points alike, far ones not."""
    torch.manual_seed(0)
    D = Discriminator(waves=20_000)
    for distance in (0.0, 0.1, 0.3, 0.7, 2.0):
        x = torch.tensor([[0.3, -0.2], [0.3 + distance * 0.6, -0.2 + distance * 0.8]])
        phases = x @ D.frequencies
        seen = torch.cat([phases.sin(), phases.cos()], dim=1)
        assert float(seen[0] @ seen[1]) / 20_000 == pytest.approx(np.exp(-(FREQUENCY_STD * distance) ** 2 / 2), abs=0.03)


def test_the_gradient_written_out_is_autograds_and_so_is_what_it_teaches():
    torch.manual_seed(0)
    _, D = build()
    D.double()
    x = torch.randn(50, 2, dtype=torch.float64)
    found = []
    for written_out in (True, False):
        D.zero_grad()
        points = x.clone().requires_grad_(not written_out)
        if written_out:
            logits, squares = D.with_squared_gradients(points)
        else:
            logits = D(points)
            squares = squared_gradients(logits, points)
        (logits.cos().mean() + squares.sqrt().mean()).backward()
        found.append([logits.detach(), squares.detach(), *(p.grad.clone() for p in D.parameters())])
    for mine, autograds in zip(*found, strict=True):
        torch.testing.assert_close(mine, autograds, rtol=1e-5, atol=1e-8)  # D takes phases and slopes in float32
    assert (found[0][1] > 1e-6).all()


def test_the_trainer_takes_the_written_out_gradient_only_where_it_is_the_same(monkeypatch):
    """One update of D with it and one without has the same gradients, with noise too."""
    config = TrainConfig(dataset="ring", networks="mlp", loss="relativistic", r1=0.1, r2=0.3, latent_dim=2, instance_noise=0.1,
                         batch_size=32, precision="fp32", device="cpu", threads=1)
    first = Trainer(config)
    monkeypatch.delattr(Discriminator, "with_squared_gradients")
    second = Trainer(config)
    assert first._written_out and not second._written_out
    monkeypatch.undo()
    for trainer in (first, second):
        trainer.discriminator_step()
    for mine, autograds in zip(first.D.parameters(), second.D.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, autograds.grad, rtol=1e-3, atol=1e-6)


def test_phases_keep_their_digits_in_bfloat16():
    torch.manual_seed(0)
    _, D = build()
    x = torch.randn(64, 2)
    with torch.no_grad():
        logits = D(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert (D(x) - logits).abs().max() < 0.05 * logits.abs().max()


@pytest.mark.parametrize(("shape", "classes", "sentence"), [((1, 28, 28), 0, r"points of shape \(2,\)"), ((3,), 0, r"not \(3,\)"),
                                                        ((2,), 10, "condition to none")])
def test_what_they_do_not_make_is_refused_in_a_sentence(shape, classes, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_pair("mlp", 2, shape, classes)
