"""Penalties against closed forms: a linear and a quadratic discriminator have gradients one can write down."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_core.losses import regularizers as reg


def linear(weight):
    return lambda x: x.flatten(1) @ weight


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31))
def test_a_linear_discriminators_penalty_is_its_weights_square_whatever_the_pictures(n, size, seed):
    torch.manual_seed(seed)
    weight, x = torch.randn(size, dtype=torch.double), torch.randn(n, size, dtype=torch.double).requires_grad_(True)
    square = weight.square().sum().item()
    assert reg.squared_gradients(linear(weight)(x), x).tolist() == pytest.approx([square] * n, rel=1e-5)
    one = reg.wgan_gp_penalty(linear(weight), x.detach(), torch.randn(n, size).double(), torch.rand(n).double())
    assert one.item() == pytest.approx((square**0.5 - 1) ** 2, rel=1e-4, abs=1e-6)


def test_each_pictures_gradient_is_its_own():
    """D(x) = |x|^2 / 2 has the gradient x, whatever stands beside it in the batch; and the penalty can be learned from."""
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]], requires_grad=True)
    squares = reg.squared_gradients(x.square().sum(1) / 2, x)
    assert squares.tolist() == [25.0, 1.0]
    squares.sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


def test_the_approximate_penalty_is_the_exact_one_in_expectation():
    torch.manual_seed(0)
    D = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Softplus(), torch.nn.Linear(16, 1), torch.nn.Flatten(0)).double()
    x = torch.randn(40, 6, dtype=torch.double, requires_grad=True)
    exact = reg.squared_gradients(D(x), x).mean().item()
    with torch.no_grad():
        found = [reg.approximate_squared_gradients(D, x, D(x), torch.randn_like(x)).mean().item() for _ in range(3000)]
    mean, error = torch.tensor(found).mean().item(), torch.tensor(found).std().item() / 3000**0.5
    assert abs(mean - exact) < 4 * error + 1e-3 * exact


def test_where_the_penalty_of_wasserstein_is_taken():
    """With D(x) = x^2 / 2 in one dimension the gradient is the point itself: x^ shows."""
    real, fake, mix = torch.tensor([[4.0]]), torch.tensor([[2.0]]), torch.tensor([0.25])
    penalty = reg.wgan_gp_penalty(lambda x: x.square().sum(1) / 2, real, fake, mix)
    assert penalty.item() == pytest.approx((2.5 - 1) ** 2)
