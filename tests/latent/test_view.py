import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gan_core import registry
from gan_core.latent.view import LatentView, find_directions, load_live, seed_z
from gan_core.networks.pair import build_pair
from gan_core.runs import checkpoint


class Generator(nn.Sequential):
    def __init__(self, latent_dim: int, units: int = 64, channels: int = 1) -> None:
        super().__init__(nn.Linear(latent_dim, units), nn.BatchNorm1d(units), nn.Tanh(), nn.Linear(units, channels * 36),
                         nn.Sigmoid(), nn.Unflatten(1, (channels, 6, 6)))


class Discriminator(nn.Sequential):
    def __init__(self, channels: int = 1) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(channels * 36, 1))


def build(name: str, latent_dim: int, shape: tuple = (), classes: int = 0) -> tuple[nn.Module, nn.Module]:
    assert name == "small"
    torch.manual_seed(0)
    return Generator(latent_dim), Discriminator()


def view_of(weight: torch.Tensor) -> LatentView:
    """A view whose first layer has this weight (units, latent_dim)."""
    G = Generator(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        G[0].weight.copy_(weight)
    return LatentView(G.eval(), Discriminator().eval(), weight.shape[1], 0, False, z_layer="0")


def live_file(path: Path, **changes: object) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(5)
    G, D = Generator(8), Discriminator()
    G(torch.randn(32, 8))  # moves the running statistics
    tensors = {f"{prefix}.{name}": tensor.half() if tensor.is_floating_point() else tensor
               for prefix, network in (("generator", G), ("discriminator", D)) for name, tensor in network.state_dict().items()}
    checkpoint.write(path, tensors, {"step": 12, "networks": "small", "latent_dim": 8, "loss": "course", **changes})
    return G.half().float().eval(), D.half().float().eval()


@pytest.mark.parametrize("loss", ["course", "non-saturating"])
def test_a_live_file_gives_the_picture_and_verdict_of_its_networks(tmp_path: Path, loss: str) -> None:
    G, D = live_file(tmp_path / "1.safetensors", loss=loss)
    view = load_live(tmp_path / "1.safetensors", build)
    z = seed_z(3, 8)
    picture, verdict = view.image(z, psi=0.5)
    fake = G(torch.from_numpy(z)[None] * 0.5)
    logit = D(fake).item()
    assert view.step == 12 and picture.shape == (6, 6) and picture.dtype == np.uint8
    assert np.array_equal(picture, (fake[0, 0] * 255).round().detach().numpy())
    # The course calls fakes 1, the others call reals 1; the verdict is always the probability of "real".
    probability_of_one = 1 / (1 + math.exp(-logit))
    assert verdict == pytest.approx(1 - probability_of_one if loss == "course" else probability_of_one, abs=1e-6)
    assert view.image(z, 0.5)[1] == verdict, "dropout and batch statistics must be off"


def test_psi_zero_is_the_middle_and_colour_has_three_channels() -> None:
    view = LatentView(Generator(4, channels=3).eval(), Discriminator(3).eval(), 4, 0, False)
    middle, _ = view.image(np.zeros(4, np.float32))
    assert middle.shape == (6, 6, 3)
    assert np.array_equal(view.image(seed_z(1, 4), psi=0.0)[0], middle)
    assert not np.array_equal(view.image(seed_z(1, 4))[0], middle)


@pytest.mark.parametrize("z", [np.zeros(3), np.zeros(5), np.zeros(0), np.array([0, math.nan, 0, 0]), np.array([math.inf] * 4)])
def test_a_z_that_is_wrong_is_refused_in_words(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"takes 4|finite"):
        view_of(torch.randn(9, 4)).image(z)


@pytest.mark.parametrize("changes", [{"latent_dim": 9}, {"latent_dim": "many"}, {"latent_dim": 10**12}, {"networks": "colour"},
                                     {"networks": "unheard of"}])
def test_a_live_file_of_other_networks_is_refused(tmp_path: Path, changes: dict) -> None:
    live_file(tmp_path / "1.safetensors", **changes)
    known = {"small": 1, "colour": 3}
    with pytest.raises(checkpoint.CheckpointError, match=r"1\.safetensors"):
        load_live(tmp_path / "1.safetensors", lambda name, dim, *of: (Generator(dim), Discriminator(known[name])))


class Labelled(nn.Module):
    """A generator whose picture is all class k, and a discriminator that likes class 2."""

    def __init__(self, draws: bool) -> None:
        super().__init__()
        self.draws, self.weight = draws, nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return labels.view(-1, 1, 1, 1).expand(-1, 1, 6, 6) / 255 if self.draws else 8.0 * (labels == 2) - 4


def test_networks_with_classes_draw_the_class_that_is_asked_for() -> None:
    view = LatentView(Labelled(True), Labelled(False), 4, 0, False, classes=3)
    for label in range(3):
        picture, verdict = view.image(np.zeros(4), label=label)
        assert (picture == label).all() and (verdict > 0.9) == (label == 2)
    assert (view.image(np.zeros(4))[0] == 0).all()
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match="0 to 2"):
            view.image(np.zeros(4), label=wrong)
    with pytest.raises(ValueError, match="no classes"):
        view_of(torch.randn(9, 4)).image(np.zeros(4), label=0)


def test_a_live_file_of_points_must_say_where_they_lie(tmp_path: Path) -> None:
    live_file(tmp_path / "1.safetensors", shape=[2])
    with pytest.raises(checkpoint.CheckpointError, match="axes"):
        load_live(tmp_path / "1.safetensors", build)
    for shape, classes in (([2, 2], 0), ([1, 10**9, 28], 0), ([1, 28, 28], 10**9)):
        live_file(tmp_path / "1.safetensors", shape=shape, classes=classes)
        with pytest.raises(checkpoint.CheckpointError, match="shape"):
            load_live(tmp_path / "1.safetensors", build)


# Directions.


@given(latent_dim=st.integers(1, 40), units=st.integers(1, 60), seed=st.integers(0, 1000))
def test_directions_are_orthonormal_whatever_the_layer(latent_dim: int, units: int, seed: int) -> None:
    weight = torch.randn(units, latent_dim, generator=torch.Generator().manual_seed(seed))
    weight[::3] = 0  # dead units
    found = find_directions(view_of(weight))
    n = min(16, latent_dim)
    assert found.shape == (n, latent_dim) and found.dtype == np.float32
    assert np.allclose(found @ found.T, np.eye(n), atol=1e-5)


@given(order=st.permutations(range(10)), seed=st.integers(0, 1000))
def test_closed_form_the_axis_that_most_units_listen_to_comes_first(order: list[int], seed: int) -> None:
    # Unit vectors only: 1 unit listens to axis order[0] alone, 2 to order[1], ...; A^T A is diagonal with these counts.
    listens = [axis for count, axis in enumerate(order, start=1) for _ in range(count)]
    scale = torch.rand(len(listens), 1, generator=torch.Generator().manual_seed(seed)) + 0.1  # lengths must not matter
    weight = nn.functional.one_hot(torch.tensor(listens), 10) * scale
    assert np.allclose(find_directions(view_of(weight)), np.eye(10)[order[::-1]], atol=1e-6)


@given(seed=st.integers(0, 1000), step=st.floats(0, 0.02))
def test_directions_keep_place_and_sign_while_the_generator_changes(seed: int, step: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    axes = torch.linalg.qr(torch.randn(12, 12, generator=generator)).Q
    weight = torch.randn(400, 12, generator=generator) * torch.linspace(3, 0.5, 12) @ axes
    old = find_directions(view_of(weight))
    # What sliders stand for must not follow the order or sign in which the eigenvectors happen to come out.
    shuffled = old[torch.randperm(12, generator=generator).numpy()] * np.sign(np.random.default_rng(seed).normal(size=(12, 1)))
    new = find_directions(view_of(weight + step * torch.randn(400, 12, generator=generator)), previous=shuffled)
    assert (np.sum(new * shuffled, axis=1) > 0.7).all()
    assert np.allclose(find_directions(view_of(weight), previous=shuffled), shuffled, atol=1e-4)


def test_directions_of_another_size_are_forgotten_and_a_transposed_convolution_counts_as_dense() -> None:
    weight = torch.randn(30, 6)
    view = view_of(weight)
    assert np.array_equal(find_directions(view, previous=np.eye(5, dtype=np.float32)), find_directions(view))
    layer = nn.ConvTranspose2d(6, 30, 1)
    with torch.no_grad():
        layer.weight.copy_(weight.T[..., None, None])
    assert np.allclose(find_directions(LatentView(layer, layer, 6, 0, False)), find_directions(view), atol=1e-5)
    with pytest.raises(ValueError, match="first layer is not dense"):
        find_directions(LatentView(nn.Identity(), nn.Identity(), 6, 0, False))


def test_a_seed_is_the_same_z_every_time_and_leaves_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first = seed_z(7, 64)
    assert np.array_equal(first, seed_z(7, 64)) and not np.array_equal(first, seed_z(8, 64))
    assert first.shape == (64,) and first.dtype == np.float32
    many = np.concatenate([seed_z(seed, 64) for seed in range(500)])
    assert abs(many.mean()) < 0.03 and abs(many.std() - 1) < 0.03
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("name", list(registry.NETWORKS))
def test_the_registry_names_the_layer_that_z_enters(name: str) -> None:
    row = registry.NETWORKS[name]
    G, _ = build_pair(name, 6, (2,) if row.points else (row.channels[0], row.sides[0], row.sides[0]))
    z = torch.randn(2, 6)
    entered = []
    G.get_submodule(row.z_layer).register_forward_hook(lambda layer, given, result: entered.append(given[0]))
    G.eval()(z)
    assert len(entered) == 1 and torch.equal(entered[0], z)
    assert find_directions(LatentView(G, G, 6, 0, False, z_layer=row.z_layer)).shape == (6, 6)
