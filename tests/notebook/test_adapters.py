"""Networks as tutorials write them: what each needs is found by trying it, and what cannot be taken says which line to change."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_core import DCGAN, PRESETS, Trainer
from gan_core.notebook.adapters import adapt

NZ = 12


class TutorialGenerator(nn.Module):
    """As the tutorials of torch have it: z (N, nz, 1, 1), batch norms, tanh."""

    def __init__(self, channels=3, end=nn.Tanh):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(NZ, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, channels, 4, 2, 1, bias=False), end())

    def forward(self, z):
        return self.main(z)


class TutorialDiscriminator(nn.Module):
    """(N, C, 16, 16) -> (N, 1, 1, 1), by a sigmoid."""

    def __init__(self, channels=3, end=nn.Sigmoid):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(channels, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
                                  nn.Conv2d(8, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.2, inplace=True),
                                  nn.Conv2d(16, 1, 4, 1, 0, bias=False), end())

    def forward(self, x):
        return self.main(x)


class FunctionalEnd(nn.Module):
    """A discriminator whose last function is no layer."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 1, 16), function

    def forward(self, x):
        return self.function(self.conv(x)).view(-1, 1)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_tutorials_pair_is_adapted_from_end_to_end():
    G, D = TutorialGenerator(), TutorialDiscriminator()
    pair = adapt(G, D, NZ)
    G.eval(), D.eval()
    z = torch.randn(5, NZ)
    pictures = pair.generator(z)
    assert pair.shape == (3, 16, 16) and pair.signed
    torch.testing.assert_close(pictures, (G(z[:, :, None, None]) + 1) / 2)
    logits = pair.discriminator(pictures)
    assert logits.shape == (5,)
    torch.testing.assert_close(logits, D.main[:-1](2 * pictures - 1).flatten())
    torch.testing.assert_close(torch.sigmoid(logits), D(2 * pictures - 1).flatten())


def test_a_logit_survives_where_its_sigmoid_is_one():
    D = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1), nn.Sigmoid())
    pair = adapt(TutorialGenerator(), D, NZ)
    with torch.no_grad():
        D[1].bias.fill_(200.0)
    logits = pair.discriminator(torch.rand(2, 3, 16, 16))
    assert (D(torch.rand(2, 3, 16, 16)) == 1).all() and ((logits > 150) & logits.isfinite()).all()
    logits.sum().backward()
    assert D[1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("end", [lambda: nn.Flatten(0), lambda: nn.Flatten(), nn.Identity])
def test_logits_of_any_shape_are_taken(end):
    D = TutorialDiscriminator(end=end)
    logits = adapt(TutorialGenerator(end=nn.Sigmoid), D, NZ).discriminator(torch.rand(3, 3, 16, 16))
    assert logits.shape == (3,)


def test_what_needs_no_adapter_is_used_as_it_is():
    G = nn.Sequential(nn.Linear(NZ, 49), nn.Sigmoid(), nn.Unflatten(1, (1, 7, 7)))
    D = nn.Sequential(nn.Flatten(), nn.Linear(49, 1), nn.Flatten(0))
    pair = adapt(G, D, NZ)
    assert pair.generator is G and pair.discriminator is D and not pair.signed


def test_trying_leaves_networks_and_random_numbers_as_they_were():
    G, D = TutorialGenerator(), TutorialDiscriminator()
    G.main[1].eval()
    before = [t.clone() for network in (G, D) for t in network.state_dict().values()]
    state = torch.random.get_rng_state()
    adapt(G, D, NZ)
    after = [t for network in (G, D) for t in network.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert G.training and not G.main[1].training and G.main[4].training and not D._forward_hooks and not D.main[-1]._forward_hooks


class Normalised(nn.Module):
    """Features of one size whatever goes in, and a function at the end that no layer shows."""

    def __init__(self, function, channels=3):
        super().__init__()
        self.conv, self.norm, self.line = nn.Conv2d(channels, 4, 3), nn.LayerNorm(4 * 14 * 14), nn.Linear(784, 1)
        self.function = function

    def forward(self, x):
        return self.function(self.line(self.norm(self.conv(x).flatten(1))))


class Assuming(nn.Module):
    """A generator that says by an assertion, or by unpacking, that it wants (N, d, 1, 1)."""

    def __init__(self, how):
        super().__init__()
        self.main, self.how = TutorialGenerator(), how

    def forward(self, z):
        if self.how == "assert":
            assert z.ndim == 4, "give maps"
        elif self.how == "unpack":
            _, _, _, _ = z.shape
        else:
            z = z.squeeze(3)[..., None]
        return self.main(z)


@pytest.mark.parametrize("how", ["assert", "unpack", "squeeze"])
def test_a_generator_may_say_in_any_way_that_it_wants_maps(how):
    assert adapt(Assuming(how), TutorialDiscriminator(), NZ).shape == (3, 16, 16)


def test_networks_of_doubles_learn():
    G, D = TutorialGenerator().double(), TutorialDiscriminator().double()
    gan = DCGAN(D, G, NZ)
    history = gan.fit(np.random.default_rng(0).random((16, 16, 16, 3)), batch_size=8, verbose=0)
    assert np.isfinite(history["d_loss"]).all() and gan.generate(2).dtype == np.float32


def partly_frozen():
    D = TutorialDiscriminator()
    D.main[0].requires_grad_(False)
    return TutorialGenerator(), D


FIT = {
    "a sigmoid behind a norm": (lambda: (TutorialGenerator(), Normalised(torch.sigmoid)), "ends in a sigmoid; return"),
    "a method behind a norm": (lambda: (TutorialGenerator(), Normalised(torch.Tensor.sigmoid)), "ends in a sigmoid"),
    "no bounds behind a norm": (lambda: (nn.Sequential(TutorialGenerator(end=nn.Identity), nn.InstanceNorm2d(3),
                                                       nn.Conv2d(3, 3, 1)), TutorialDiscriminator()), "makes values from"),
    "some frozen weights": (partly_frozen, r"discriminator\.main\.0\.weight does not require a gradient"),
    "a generator without bounds": (lambda: (TutorialGenerator(end=nn.Identity), TutorialDiscriminator()),
                                   r"generator makes values from -.* to .*; end it with a sigmoid, for \[0, 1\], or with a tanh"),
    "a sigmoid that is no layer": (lambda: (TutorialGenerator(), FunctionalEnd(torch.sigmoid)),
                                   r"the discriminator ends in a sigmoid; return what goes into it, without sigmoid\(\.\.\.\)"),
    "a tanh that is no layer": (lambda: (TutorialGenerator(), FunctionalEnd(torch.tanh)), "discriminator ends in a tanh; return"),
    "another length of z": (lambda: (nn.Sequential(nn.Linear(NZ + 1, 48), nn.Unflatten(1, (3, 4, 4))), TutorialDiscriminator()),
                            "does not take z of latent_dim 12, neither as"),
    "no pictures": (lambda: (nn.Linear(NZ, 4), TutorialDiscriminator()), r"makes \(2, 4\) of two z; it must make pictures"),
    "a discriminator of other pictures": (lambda: (TutorialGenerator(1), TutorialDiscriminator(3)), "do not fit each other"),
    "two numbers a picture": (lambda: (TutorialGenerator(), nn.Sequential(nn.Flatten(), nn.Linear(768, 2))),
                              r"makes \(2, 2\) of two images; it must make one logit of each"),
    "no weights": (lambda: (nn.Sigmoid(), TutorialDiscriminator()), "the generator has no weights to train"),
    "no network": (lambda: (TutorialGenerator(), "D"), "discriminator is a str; give a torch.nn.Module"),
}


@pytest.mark.parametrize("case", FIT)
def test_what_cannot_be_taken_says_what_to_change(case):
    networks, part = FIT[case]
    with pytest.raises(ValueError, match=part) as caught:
        adapt(*networks(), NZ)
    assert "\n" not in str(caught.value)


def test_a_tutorials_pair_learns_what_its_logits_learn_without_the_sigmoid():
    """The same weights, once with tanh and sigmoid and once without need of an adapter's change, take the same steps."""
    results = []
    x = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), np.uint8)
    for end in (nn.Sigmoid, nn.Identity):
        torch.manual_seed(1)
        G, D = TutorialGenerator(), TutorialDiscriminator(end=end)
        gan = DCGAN(discriminator=D, generator=G, latent_dim=NZ)
        data = x if end is nn.Sigmoid else (x / 127.5 - 1).astype("float32")  # data in [-1, 1] are the same pictures
        gan.fit(data, epochs=2, batch_size=8, verbose=0)
        results.append([t.clone() for network in (G, D) for t in network.state_dict().values()])
        assert gan.generate(3).shape == (3, 16, 16, 3)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_generators_step_moves_no_statistics_of_a_batch_norm_in_the_discriminator():
    G, D = TutorialGenerator(end=nn.Sigmoid), TutorialDiscriminator(end=lambda: nn.Flatten(0))
    pair = adapt(G, D, NZ)
    images = torch.randint(0, 256, (16, 3, 16, 16), dtype=torch.uint8)
    trainer = Trainer(PRESETS["course"].replace(latent_dim=NZ, batch_size=8, device="cpu", threads=1), images,
                      networks=(pair.generator, pair.discriminator))
    trainer.discriminator_step()
    before = {name: t.clone() for name, t in D.state_dict().items()}
    trainer.generator_step()
    assert all(torch.equal(before[name], t) for name, t in D.state_dict().items())
    trainer.discriminator_step()
    assert not torch.equal(before["main.3.running_var"], D.state_dict()["main.3.running_var"])
