"""Networks of every size, and those that are told a class: what a class adds, against its formula."""

import pytest
import torch
import torch.nn.functional as F

from gan_core.config import TrainConfig
from gan_core.networks.layers import ClassBatchNorm, upsampling_plan
from gan_core.networks.pair import build_pair
from gan_core.networks.resnet import Block
from gan_core.networks.spectral_norm import spectral_norm_
from gan_core.training.trainer import Trainer

SIZED = pytest.mark.parametrize("name", ["quick", "resnet"])


def pair(name, shape=(1, 28, 28), classes=0, latent_dim=6):
    torch.manual_seed(0)
    return build_pair(name, latent_dim, shape, classes)


@SIZED
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize("classes", [0, 7])
def test_every_size_and_colour_with_and_without_classes(name, channels, size, classes):
    G, D = pair(name, (channels, size, size), classes)
    labels = (torch.tensor([0, 6, 3]),) if classes else ()
    images = G(torch.randn(3, 6), *labels)
    assert images.shape == (3, channels, size, size) and 0 <= images.min() < images.max() <= 1
    logits = D(images, *labels)
    assert logits.shape == (3,) and logits.dtype == torch.float32
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in (*G.parameters(), *D.parameters()))


@SIZED
@pytest.mark.parametrize("shape", [(1, 27, 27), (2, 28, 28), (1, 28, 32), (2,), (3, 128, 128)])
def test_other_shapes_are_refused_in_words(name, shape):
    with pytest.raises(ValueError, match=r"side 28, 32, 64, channels 1, 3 .*, not .*; choose"):
        pair(name, shape)


def test_the_plan_ends_at_the_size_of_the_picture():
    for size in (28, 32, 64):
        channels, base, doublings = upsampling_plan((3, size, size))
        assert channels == 3 and base * 2**doublings == size


@SIZED
def test_a_class_adds_the_projection_of_its_row_to_the_logit(name):
    """D(x, y) - D(x, y') = <V_y - V_y', features>, and with rows of zeros D is the network without classes."""
    _, D = pair(name, classes=5)
    seen = []
    D.dense.register_forward_hook(lambda layer, given, answer: seen.append(given[0]))
    x, y, other = torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 4]), torch.tensor([3, 3, 3, 3])
    difference = D(x, y) - D(x, other)
    V = D.projection.classes.weight
    torch.testing.assert_close(difference, ((V[y] - V[other]) * seen[0]).sum(1), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        V.zero_()
    torch.testing.assert_close(D(x, y), D.dense(seen[0]).squeeze(1))


def test_the_classes_rows_are_under_spectral_norm_too():
    D = spectral_norm_(pair("quick", classes=5)[1])
    assert torch.linalg.matrix_norm(D.projection.classes.weight, 2).item() == pytest.approx(1, abs=1e-4)
    assert D(torch.rand(2, 1, 28, 28), torch.tensor([0, 4])).shape == (2,)


def test_the_classes_batch_norm_is_batch_norm_with_the_classes_scale_and_shift():
    torch.manual_seed(0)
    layer = ClassBatchNorm(3, 4)
    x, labels = torch.randn(6, 3, 5, 5), torch.tensor([0, 1, 2, 3, 0, 1])
    torch.testing.assert_close(layer(x, labels), F.batch_norm(x, None, None, training=True))
    with torch.no_grad():
        layer.scale.weight.normal_()
        layer.shift.weight.normal_()
    plain = F.batch_norm(x, None, None, training=True)
    for row, picture, label in zip(layer(x, labels), plain, labels, strict=True):
        scale, shift = (table.weight[label].view(3, 1, 1) for table in (layer.scale, layer.shift))
        torch.testing.assert_close(row, picture * scale + shift)


@SIZED
def test_the_generator_makes_other_pictures_for_another_class_once_it_has_learned_any(name):
    G, _ = pair(name, classes=3)
    with torch.no_grad():
        for layer in G.modules():
            if isinstance(layer, torch.nn.Embedding):
                layer.weight.add_(torch.randn_like(layer.weight))
    z = torch.randn(2, 6)
    assert not torch.allclose(G(z, torch.tensor([0, 1])), G(z, torch.tensor([2, 2])), atol=1e-3)


@SIZED
def test_a_missing_label_is_asked_for_in_words(name):
    G, D = pair(name, classes=3)
    for network, x in ((G, torch.randn(2, 6)), (D, torch.rand(2, 1, 28, 28))):
        with pytest.raises(ValueError, match="give a label for each picture"):
            network(x)


def test_a_residual_block_begins_as_nothing_at_all():
    blocks = [m for network in pair("resnet") for m in network.modules() if isinstance(m, Block)]
    assert len(blocks) == 6
    for block in blocks:
        x = torch.randn(2, block.enter.in_channels, 4, 4)
        assert torch.equal(block(x), x)
        with torch.no_grad():
            block.leave.weight.normal_()
        assert not torch.allclose(block(x), x)


@SIZED
def test_all_at_once_moves_one_network_at_a_time_and_resumes_exactly(name):
    """Classes, spectral norm, DiffAugment and noise, penalised: the state is all there is, estimates of the norm included."""
    data = torch.randint(0, 256, (24, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(24) % 4
    config = TrainConfig(networks=name, condition="class", spectral_norm=True, augment="color,translation,cutout",
                         instance_noise=0.1, label_smoothing=0.1, decay_steps=20, r1=0.1,
                         batch_size=6, precision="bf16", threads=1, device="cpu")
    whole, first, second = (Trainer(config, data, labels) for _ in range(3))
    last = [whole.step() for _ in range(6)][-1]
    for _ in range(3):
        first.step()
    second.load_state_dict({name: t.detach().clone() for name, t in first.state_dict().items()})
    again = [second.step() for _ in range(3)][-1]
    kept = whole.state_dict()
    assert all(t.isfinite().all() for t in kept.values())
    assert all(torch.equal(kept[name], value) for name, value in second.state_dict().items()) and last == again
    for step, still in ((whole.generator_step, whole.D), (whole.discriminator_step, whole.G)):
        before = {name: t.clone() for name, t in still.state_dict().items()}
        step()
        assert all(torch.equal(before[name], t) for name, t in still.state_dict().items())
    whole.discriminator_step()
    assert whole.sample(8).shape == (8, 1, 28, 28)


def test_looking_at_what_a_generator_makes_moves_nothing_of_it():
    networks = pair("quick", classes=4)
    before = [{name: t.clone() for name, t in network.state_dict().items()} for network in networks]
    config = TrainConfig(networks="quick", condition="class", latent_dim=6, device="cpu", precision="fp32", threads=1)
    Trainer(config, torch.zeros(8, 1, 28, 28, dtype=torch.uint8), torch.arange(8) % 4, networks=networks)
    assert any("running_mean" in name for name in before[0])
    for network, was in zip(networks, before, strict=True):
        assert network.training and all(torch.equal(t, was[name]) for name, t in network.state_dict().items())
