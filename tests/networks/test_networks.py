"""The networks: Keras itself is the oracle for the course's pair; every registered pair keeps the common contract."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import keras_course
from gan_core import registry
from gan_core.networks.course import course_discriminator, course_generator
from gan_core.networks.fast_conv import single_channel_conv, upsample_conv
from gan_core.networks.layers import Dropout, glorot_

PAIRS = pytest.mark.parametrize("name", [name for name, row in registry.NETWORKS.items() if not row.points])  # those: test_mlp.py


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def keras_pair():
    """The notebook's two networks in Keras, with seeded weights and biases that are not zero, so that all of them count."""
    keras = pytest.importorskip("keras")
    assert keras.backend.backend() == "torch"
    discriminator, generator = keras_course.networks()
    rng = np.random.default_rng(3)
    for network in (discriminator, generator):
        for layer in network.layers:
            if layer.weights:
                kernel, bias = layer.get_weights()
                weights = rng.normal(0, 1 / np.sqrt(np.prod(kernel.shape[:-1])), kernel.shape), rng.normal(0, 0.1, bias.shape)
                layer.set_weights([w.astype("float32") for w in weights])
    return discriminator, generator


def copy_from_keras(source, target):
    """Keras' weights in its own order: a convolution's kernel is (h, w, in, out), a dense one's (in, out)."""
    ours = [m for m in target.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    theirs = [layer for layer in source.layers if layer.weights]
    assert len(ours) == len(theirs)
    with torch.no_grad():
        for mine, layer in zip(ours, theirs, strict=True):
            kernel, bias = (torch.from_numpy(np.array(w)) for w in layer.get_weights())
            mine.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            mine.bias.copy_(bias)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_with_keras_weights_the_discriminator_gives_keras_outputs(keras_pair, layout):
    source, _ = keras_pair
    D = course_discriminator().eval()
    copy_from_keras(source, D)
    D.to(memory_format=layout)
    images = np.random.default_rng(0).random((5, 28, 28, 1), np.float32)
    expected = source.predict(images, verbose=0)[:, 0]
    with torch.no_grad():
        logits = D(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert np.ptp(expected) > 0.05  # the comparison has something to compare
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_with_keras_weights_the_generator_gives_keras_images(keras_pair, layout):
    _, source = keras_pair
    G = course_generator(latent_dim=128).eval()
    copy_from_keras(source, G)
    G.to(memory_format=layout)
    z = np.random.default_rng(1).normal(size=(5, 128)).astype("float32")
    expected = source.predict(z, verbose=0)
    with torch.no_grad():
        images = G(torch.from_numpy(z)).permute(0, 2, 3, 1)
    assert expected.std() > 0.05
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5, rtol=0)


def test_parameter_counts_are_the_courses(keras_pair):
    assert count(course_discriminator()) == keras_pair[0].count_params() == 396_609
    assert count(course_generator()) == keras_pair[1].count_params() == 779_969


def test_initial_weights_are_glorot_uniform_with_zero_biases():
    torch.manual_seed(0)
    fans = [(1 * 16, 64 * 16), (64 * 16, 128 * 16), (128 * 16, 128 * 16), (2048, 1),
            (128, 3136), (64 * 9, 128 * 9), (128 * 9, 256 * 9), (256 * 25, 1 * 25)]
    networks = torch.nn.ModuleList([course_discriminator(), course_generator()])
    layers = [m for m in networks.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == len(fans)
    for layer, (fan_in, fan_out) in zip(layers, fans, strict=True):
        bound, weight = math.sqrt(6 / (fan_in + fan_out)), layer.weight.detach()
        assert weight.abs().max() <= bound
        assert weight.abs().max() > 0.99 * bound
        # Uniform: its deviation is bound / sqrt(3), its mean 0; 4 standard errors are allowed.
        assert abs(weight.std().item() * math.sqrt(3) / bound - 1) < 4 / math.sqrt(weight.numel())
        assert abs(weight.mean().item()) < 4 * bound / math.sqrt(3 * weight.numel())
        assert not layer.bias.any()


def test_initial_weights_have_keras_bounds():
    keras = pytest.importorskip("keras")
    for shape, layer in [((3, 3, 64, 128), torch.nn.Conv2d(64, 128, 3)), ((128, 3136), torch.nn.Linear(128, 3136))]:
        theirs = np.abs(np.array(keras.initializers.GlorotUniform(seed=1)(shape).cpu())).max()
        ours = glorot_(layer).weight.abs().max().item()
        assert ours == pytest.approx(theirs, rel=1e-3)


@PAIRS
@pytest.mark.parametrize("latent_dim", [1, 7, 128])
def test_every_pair_keeps_shapes_types_and_range(name, latent_dim):
    G, D = registry.resolve(registry.NETWORKS, name)(latent_dim)
    images = G(torch.randn(3, latent_dim) * 100)
    assert images.shape == (3, 1, 28, 28) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1
    logits = D(images)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    logits.sum().backward()
    for parameter in [*G.parameters(), *D.parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all()


@PAIRS
def test_every_pair_is_the_same_function_in_channels_last_and_close_in_bfloat16(name):
    torch.manual_seed(0)
    G, D = (m.eval() for m in registry.resolve(registry.NETWORKS, name)(64))
    z = torch.randn(4, 64)
    with torch.no_grad():
        images, logits = G(z), D(G(z))
        for network in (G, D):
            network.to(memory_format=torch.channels_last)
        torch.testing.assert_close(G(z), images, atol=1e-5, rtol=0)
        torch.testing.assert_close(D(G(z)), logits, atol=1e-5, rtol=0)
        with torch.autocast("cpu", torch.bfloat16):
            low = G(z)
            assert low.dtype == torch.float32 and D(low).dtype == torch.float32
        torch.testing.assert_close(low, images, atol=0.02, rtol=0)
        assert len(low.unique()) > 300  # more grey levels than bfloat16 has near 1


@PAIRS
def test_construction_draws_from_the_global_generator_only(name):
    build = registry.resolve(registry.NETWORKS, name)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first = build(16)
        torch.manual_seed(5)
        second = build(16)
        third = build(16)
    for a, b, c in zip(first, second, third, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
        assert not all(torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters(), strict=True))


@PAIRS
def test_a_discriminator_judges_each_image_alone(name):
    """No batch statistics in D: else real and fake of one batch would leak into each other."""
    _, D = registry.resolve(registry.NETWORKS, name)(16)
    for layer in D.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    images = torch.rand(6, 1, 28, 28)
    with torch.no_grad():
        alone = torch.cat([D(image[None]) for image in images])
        torch.testing.assert_close(D(images), alone, atol=1e-5, rtol=1e-5)


def test_dropout_masks_come_from_its_own_generator_only():
    layer, x = Dropout(0.2), torch.ones(50, 40)
    layer.generator = torch.Generator().manual_seed(4)
    before = torch.random.get_rng_state()
    first = layer(x)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(99)
    layer.generator.manual_seed(4)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)  # the generator moves on


def test_dropout_is_nothing_in_eval_mode():
    x = torch.rand(5, 5)
    assert Dropout(0.5).eval()(x) is x


@given(p=st.floats(0.01, 0.9), seed=st.integers(0, 2**31))
def test_dropout_drops_p_and_keeps_the_mean(p, seed):
    layer = Dropout(p)
    layer.generator = torch.Generator().manual_seed(seed)
    n = 20_000
    y = layer(torch.ones(n))
    # Six standard errors: hypothesis looks for the worst case on purpose.
    assert abs((y == 0).float().mean().item() - p) <= 6 * math.sqrt(p * (1 - p) / n)
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - p)))


@pytest.mark.parametrize("p", [-0.1, 1.0, 7, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="0 to just below 1"):
        Dropout(p)


def test_dropout_keeps_bfloat16_and_a_generator_means_nothing_to_state():
    layer = Dropout(0.2)
    layer.generator = torch.Generator()
    assert layer(torch.ones(3, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert layer.state_dict() == {}


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
def test_the_folded_upsampling_is_upsampling_then_convolution_gradients_included(n, channels, out, height, width, seed):
    torch.manual_seed(seed)
    conv = torch.nn.Conv2d(channels, out, 3, padding=1).double()
    x = torch.randn(n, channels, height, width, dtype=torch.double)
    same_function(conv, x, upsample_conv, lambda x, conv: conv(torch.nn.functional.interpolate(x, scale_factor=2)), 1e-10)


@given(st.integers(1, 3), st.integers(1, 9), st.sampled_from([1, 3, 5]), st.integers(1, 8), st.integers(1, 8),
       st.integers(0, 2**31))
def test_the_narrow_convolution_is_the_convolution_gradients_included(n, channels, size, height, width, seed):
    torch.manual_seed(seed)
    conv = torch.nn.Conv2d(channels, 1, size, padding=size // 2)
    same_function(conv, torch.randn(n, channels, height, width), single_channel_conv, lambda x, conv: conv(x), 2e-4)


def same_function(conv, x, mine, theirs, tolerance):
    answers = []
    for function in (mine, theirs):
        x_ = x.clone().requires_grad_(True)
        conv.zero_grad()
        y = function(x_, conv)
        (y * torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()).sum().backward()
        answers.append((y.detach(), x_.grad, conv.weight.grad.clone(), conv.bias.grad.clone()))
    for a, b in zip(*answers, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
