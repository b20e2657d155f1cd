"""Which networks and pictures of a notebook have a name here: exactly those that this name builds and loads."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_core import course_discriminator, course_generator, registry
from gan_core.config import TrainConfig
from gan_core.data import loading
from gan_core.networks.pair import build_pair
from gan_core.notebook.adapters import adapt
from gan_core.notebook.recognition import name_data, name_networks

PAIRS = [(name, (channels, side, side)) for name, row in registry.NETWORKS.items() if not row.points
         for channels in row.channels for side in row.sides if side < 64]


@pytest.mark.parametrize(("name", "shape"), PAIRS)
def test_a_pair_of_the_registry_is_known_by_its_name(name, shape):
    G, D = build_pair(name, 8, shape)
    before = torch.random.get_rng_state()
    assert name_networks(adapt(G, D, 8), 8) == name
    assert torch.equal(before, torch.random.get_rng_state()), "the notebook's own draws stay as they were"


def test_the_courses_two_are_known():
    assert name_networks(adapt(course_generator(16), course_discriminator(), 16), 16) == "course"


def test_networks_that_differ_in_anything_are_the_notebooks_own():
    (G, D), (wide, _) = build_pair("quick", 8, (1, 28, 28)), build_pair("quick", 9, (1, 28, 28))
    other = course_discriminator()

    class Mine(type(G)):
        """The same layers, perhaps put together otherwise."""

    mine, _ = build_pair("quick", 8, (1, 28, 28))
    mine.__class__ = Mine
    signed = nn.Sequential(nn.Linear(8, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    for generator, discriminator, latent_dim in ((G, other, 8), (wide, other, 9), (mine, D, 8), (signed, D, 8)):
        assert name_networks(adapt(generator, discriminator, latent_dim), latent_dim) == registry.NOTEBOOK


@pytest.mark.parametrize("count", [0, 40])
def test_pictures_of_a_data_set_are_known_and_load_again(count):
    given = loading.load(TrainConfig(max_images=count))
    values, loaded = name_data(torch.from_numpy(given.data.copy()))
    assert values == {"dataset": "digits", "max_images": count}
    again = loading.load(TrainConfig().replace(**values))
    assert np.array_equal(again.data, given.data) and loaded.summary() == again.summary() and loaded.labels is not None


def test_other_pictures_in_another_order_or_number_are_the_notebooks_own():
    digits = loading.load(TrainConfig(max_images=40)).data
    changed = digits.copy()
    changed[3, 0, 0, 0] ^= 1
    for pictures in (digits[::-1].copy(), digits[1:], changed, np.zeros((40, 3, 28, 28), np.uint8)):
        values, loaded = name_data(torch.from_numpy(pictures))
        assert values == {"dataset": registry.NOTEBOOK} and loaded.labels is None and loaded.names == ()
        assert loaded.summary()["count"] == len(pictures)


def test_no_other_process_can_load_or_build_what_is_the_notebooks_own():
    config = TrainConfig(dataset=registry.NOTEBOOK, networks=registry.NOTEBOOK)
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert not loading.works_offline(config) and not registry.is_offered(config.dataset)
    assert not registry.reads_local_path(config.dataset)
    with pytest.raises(loading.DataError, match="arrays of a notebook"):
        loading.load(config)
    with pytest.raises(ValueError, match="notebook's own"):
        build_pair(config.networks, 8, (1, 28, 28))
