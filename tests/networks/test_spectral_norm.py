"""Spectral norm against the singular values themselves; what moves it and what does not."""

import copy

import pytest
import torch
from torch import nn

from gan_core import registry
from gan_core.networks.spectral_norm import power_iterate_, spectral_norm_, state_without_spectral_norm


def pair(name="quick"):
    torch.manual_seed(0)
    return registry.resolve(registry.NETWORKS, name)(8)


def normed(D):
    return [m for m in D.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("name", ["quick", "course", "resnet"])
def test_every_layers_largest_singular_value_is_one_and_stays_so_while_it_trains(name):
    D = pair(name)[1]
    before = torch.random.get_rng_state()
    spectral_norm_(D)
    if name != "resnet":  # whose last layers are zero, and cannot be divided by their norm
        assert torch.equal(torch.random.get_rng_state(), before), "the estimate begins without a draw"
    for layer in normed(D):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-4)
    optimizer = torch.optim.Adam(D.parameters(), 1e-3)
    for _ in range(60):
        power_iterate_(D)
        optimizer.zero_grad()
        D(torch.rand(4, 1, 28, 28)).square().sum().backward()
        optimizer.step()
    power_iterate_(D)
    for layer in normed(D):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_only_the_iteration_moves_the_estimate():
    D = spectral_norm_(pair()[1]).train()
    with torch.no_grad():
        D.dense.parametrizations.weight.original += 1.0
    before = {name: value.clone() for name, value in D.state_dict().items()}
    for mode in (True, False):
        D.train(mode)(torch.rand(4, 1, 28, 28)).sum().backward()
    assert all(torch.equal(before[name], value) for name, value in D.state_dict().items())
    with torch.autocast("cpu", torch.bfloat16):
        power_iterate_(D)
    moved = {name for name, value in D.state_dict().items() if not torch.equal(before[name], value)}
    assert any(name.endswith("0.u") for name in moved) and all(name.endswith((".0.u", ".0.v")) for name in moved)
    exact = torch.linalg.matrix_norm(D.dense.weight, 2).item()
    assert exact == pytest.approx(1, abs=1e-5), "in full precision, whatever the context: a row's norm is found at once"


def test_the_gradient_is_that_of_the_quotient():
    """Of W / (u^T W v) with u and v held fixed, and the plain state is the same function without the parametrization."""
    layer = spectral_norm_(nn.Sequential(nn.Linear(5, 3))).double()
    x = torch.randn(4, 5, dtype=torch.double)
    layer(x).square().sum().backward()
    norm, W = layer[0].parametrizations.weight[0], layer[0].parametrizations.weight.original
    free = W.detach().clone().requires_grad_(True)
    (x @ (free / (norm.u @ free @ norm.v)).T + layer[0].bias).square().sum().backward()
    torch.testing.assert_close(W.grad, free.grad)
    plain = nn.Sequential(nn.Linear(5, 3)).double()
    plain.load_state_dict(state_without_spectral_norm(layer))
    torch.testing.assert_close(plain(x), layer(x))


def test_it_survives_a_state_a_copy_and_a_second_call():
    D = spectral_norm_(pair()[1])
    power_iterate_(D)
    names = list(D.state_dict())
    assert list(spectral_norm_(D).state_dict()) == names
    other = spectral_norm_(pair()[1])
    other.load_state_dict(D.state_dict())
    x = torch.rand(4, 1, 28, 28)
    assert torch.equal(other(x), D(x)) and torch.equal(copy.deepcopy(D)(x), D(x))
    plain = pair()[1]
    plain.load_state_dict(state_without_spectral_norm(D))
    torch.testing.assert_close(plain(x), D(x), rtol=1e-5, atol=1e-6)
    assert state_without_spectral_norm(plain).keys() == plain.state_dict().keys()
