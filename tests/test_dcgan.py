"""The notebook's object: the course's own lines run, any sound form of the same images trains the same networks."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from gan_core import DCGAN, course_discriminator, course_generator
from gan_core.notebook.arrays import as_images
from gan_core.runs.checkpoint import CheckpointError

PICTURES = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 1), np.uint8)


def small(latent_dim=5):
    """Networks that train in milliseconds; the generator has a batch norm, whose buffers must be kept too."""
    torch.manual_seed(0)
    G = nn.Sequential(nn.Linear(latent_dim, 49), nn.Unflatten(1, (1, 7, 7)), nn.BatchNorm2d(1), nn.Upsample(scale_factor=4),
                      nn.Sigmoid())
    D = nn.Sequential(nn.Conv2d(1, 2, 7, stride=7), nn.Flatten(), nn.Linear(32, 1), nn.Flatten(0))
    return {"discriminator": D, "generator": G}


def weights(gan):
    return [t.clone() for part in (gan.generator, gan.discriminator) for t in part.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_the_courses_own_lines_run_as_they_stand():
    images = np.random.default_rng(0).random((64, 28, 28, 1)).astype("float32")
    latent_dim = 128

    discriminator = course_discriminator()
    generator = course_generator(latent_dim=128)
    gan = DCGAN(discriminator=discriminator, generator=generator, latent_dim=latent_dim)
    before = weights(gan)
    history = gan.fit(images, epochs=1, batch_size=32)

    assert gan.generator is generator and gan.discriminator is discriminator
    assert not any(torch.equal(a, b) for a, b in zip(before, weights(gan), strict=True))  # every tensor has learned
    assert gan.trainer.step_count == 2
    assert set(history) == {"d_loss", "g_loss", "d_real", "d_fake"} and history.history is history
    assert all(len(values) == 1 and np.isfinite(values).all() for values in history.values())
    assert history["d_loss"][0] == pytest.approx(np.log(2), abs=0.3)
    assert gan.generate(3).shape == (3, 28, 28)


def test_every_sound_form_of_the_same_images_trains_the_same_networks():
    forms = [PICTURES, PICTURES.transpose(0, 3, 1, 2), PICTURES / 255, (PICTURES / 255).astype("float32"),
             torch.from_numpy(PICTURES), torch.from_numpy(PICTURES).permute(0, 3, 1, 2) / 255, PICTURES[::-1][::-1]]
    results = []
    for form in forms:
        gan = DCGAN(**small(), latent_dim=5)
        history = gan.fit(form, epochs=2, batch_size=4, seed=3)
        results.append([*weights(gan), torch.tensor(list(history.values()))])
    assert all(same(results[0], other) for other in results[1:])


def test_the_seed_decides_and_the_global_generator_does_not():
    results = []
    for seed, noise in ((1, 5), (1, 6), (2, 5)):
        gan = DCGAN(**small(), latent_dim=5)
        torch.manual_seed(noise)
        before = torch.random.get_rng_state()
        gan.fit(PICTURES, epochs=1, batch_size=4, seed=seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(weights(gan))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_fitting_twice_is_fitting_longer():
    once, twice = (DCGAN(**small(), latent_dim=5) for _ in range(2))
    long = once.fit(PICTURES, epochs=4, batch_size=4)
    twice.fit(PICTURES, epochs=1, batch_size=4)
    short = twice.fit(PICTURES, epochs=3, batch_size=4)
    assert same(weights(once), weights(twice))
    assert long == short and len(short["d_loss"]) == 4


def test_the_returned_history_is_the_callers_own():
    gan = DCGAN(**small(), latent_dim=5)
    history = gan.fit(PICTURES, epochs=1, batch_size=4)
    history["d_loss"].append(99.0)
    assert len(gan.history["d_loss"]) == 1


def test_fewer_images_than_a_batch_still_make_a_step():
    gan = DCGAN(**small(), latent_dim=5)
    gan.fit(PICTURES[:3], epochs=2, batch_size=8)
    assert gan.trainer.step_count == 2


@pytest.mark.parametrize(("images", "word"), [
    (np.zeros((4, 28, 27)), "shape"), (np.zeros((4, 3, 28, 28)), "shape"), (np.zeros((4, 32, 32, 1)), "shape"),
    (np.zeros((0, 28, 28, 1)), "at least 1"), (np.zeros(784), "shape"), (np.full((2, 28, 28, 1), 1.01), "between"),
    (np.full((2, 28, 28, 1), -0.1), "between"), (np.full((2, 28, 28, 1), np.nan), "hold a NaN"),
    (np.full((2, 28, 28, 1), 255.0), "divided by 255"), (np.full((2, 28, 28, 1), np.inf), "infinite"),
    (np.zeros((2, 28, 28, 1), np.int64), "uint8"), (np.zeros((2, 28, 28, 1), bool), "uint8"),
    (np.zeros((2, 28, 28, 1), complex), "uint8"), ("pictures", "cannot be read"),
    (None, "cannot be read"), ([[1], [2, 3]], "cannot be read"),
])
def test_other_images_are_refused_in_one_sentence(images, word):
    with pytest.raises(ValueError, match=word) as caught:
        DCGAN(**small(), latent_dim=5).fit(images)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_as_images_rounds_to_the_nearest_grey():
    x = torch.linspace(0, 1, 784, dtype=torch.float64).view(1, 1, 28, 28)
    found = as_images(x)
    assert found.dtype == torch.uint8
    assert (found / 255 - x).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 1.5}, {"epochs": True}, {"batch_size": 0}, {"batch_size": 2.5},
                                   {"seed": -1}])
def test_other_numbers_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DCGAN(**small(), latent_dim=5).fit(PICTURES, **wrong)


def test_generate_depends_on_the_seed_alone():
    gan = DCGAN(**small(), latent_dim=5)
    torch.manual_seed(1)
    first = gan.generate(4, seed=7)
    before = torch.random.get_rng_state()
    assert np.array_equal(gan.generate(4, seed=7), first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not np.array_equal(gan.generate(4, seed=8), first)
    assert np.array_equal(gan.generate(4, seed=7), first)  # drawing changes no batch statistics
    assert first.dtype == np.float32 and first.shape == (4, 28, 28) and first.min() >= 0 and first.max() <= 1


def test_generate_takes_ones_own_z_in_any_form():
    gan = DCGAN(**small(), latent_dim=5)
    z = np.random.default_rng(0).normal(size=(300, 5))
    whole = gan.generate(z)
    assert whole.shape == (300, 28, 28)
    np.testing.assert_array_equal(gan.generate(torch.from_numpy(z)), whole)
    np.testing.assert_allclose(gan.generate(z[7:8].tolist())[0], whole[7], atol=1e-6)


@pytest.mark.parametrize("z", [0, -1, np.zeros((3, 4)), np.zeros(5), np.zeros((0, 5)), np.full((1, 5), np.nan),
                               "a", None, [["a"] * 5], True])
def test_generate_refuses_what_is_no_z(z):
    with pytest.raises(ValueError, match="give"):
        DCGAN(**small(), latent_dim=5).generate(z)


@pytest.mark.parametrize("seed", ["a", None, 1.5, 2**70])
def test_generate_refuses_what_is_no_seed(seed):
    with pytest.raises(ValueError, match=r"seed is .*; give"):
        DCGAN(**small(), latent_dim=5).generate(2, seed=seed)


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"give a file in a folder that is there.*nowhere/sheep\.safetensors'$"):
        DCGAN(**small(), latent_dim=5).save(tmp_path / "nowhere" / "sheep.safetensors")
    with pytest.raises(IsADirectoryError, match=f"give a file.*'{tmp_path}'$"):
        DCGAN(**small(), latent_dim=5).save(tmp_path)


def test_saved_and_loaded_it_is_the_same_gan(tmp_path):
    gan = DCGAN(**small(), latent_dim=5)
    gan.compile(discriminator_optimizer=2e-4)
    history = gan.fit(PICTURES, epochs=2, batch_size=4, seed=9)
    gan.save(tmp_path / "sheep.safetensors")
    other = small()
    for network in other.values():
        network.apply(lambda layer: getattr(layer, "reset_parameters", int)())  # other weights than the saved ones
    loaded = DCGAN.load(tmp_path / "sheep.safetensors", **other)
    assert same(weights(gan), weights(loaded))
    assert loaded.history == history and loaded.config == gan.config and loaded.config.lr_d == 2e-4
    assert np.array_equal(gan.generate(5), loaded.generate(5))
    assert len(loaded.fit(PICTURES, epochs=1, batch_size=4)["d_loss"]) == 3


def test_the_courses_networks_need_not_be_given_to_load(tmp_path):
    gan = DCGAN(latent_dim=3)
    gan.save(tmp_path / "a.safetensors")
    assert np.array_equal(gan.generate(2), DCGAN.load(tmp_path / "a.safetensors").generate(2))


def test_load_refuses_other_networks_and_never_runs_what_it_reads(tmp_path):
    gan = DCGAN(**small(), latent_dim=5)
    gan.save(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="other networks"):
        DCGAN.load(tmp_path / "a.safetensors")

    class Bomb:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (tmp_path / "b.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError):
        DCGAN.load(tmp_path / "b.safetensors")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("part", "value", "word"), [
    ("kind", "run", "DCGAN.save"), ("config", 3, "DCGAN.save"), ("config", {"latent_dim": 0}, "latent_dim"),
    ("history", None, "history"), ("history", {"d_loss": ["x"], "g_loss": [], "d_real": [], "d_fake": []}, "history")])
def test_load_refuses_notes_that_are_not_its_own(tmp_path, part, value, word):
    from gan_core.runs import checkpoint

    path = tmp_path / "a.safetensors"
    DCGAN(**small(), latent_dim=5).save(path)
    tensors, notes = checkpoint.read(path)
    notes.pop("schema")
    checkpoint.write(path, tensors, {**notes, part: value})
    with pytest.raises(ValueError, match=word):
        DCGAN.load(path, **small())


def test_compile_reads_rates_from_numbers_torch_and_keras():
    keras = pytest.importorskip("keras")
    gan = DCGAN(**small(), latent_dim=5)
    assert (gan.config.lr_d, gan.config.betas_g, gan.config.loss, gan.config.label_noise) == (1e-4, (0.9, 0.999), "course", 0.05)
    gan.compile(discriminator_optimizer=keras.optimizers.Adam(learning_rate=3e-4, beta_1=0.5),
                generator_optimizer=torch.optim.Adam(gan.generator.parameters(), 2e-4, betas=(0.4, 0.9)),
                loss_fn=keras.losses.BinaryCrossentropy())
    assert gan.config.lr_d == pytest.approx(3e-4) and gan.config.betas_d == pytest.approx((0.5, 0.999))
    assert gan.config.lr_g == 2e-4 and gan.config.betas_g == (0.4, 0.9) and gan.config.loss == "course"
    gan.compile(loss_fn="non-saturating")
    assert (gan.config.lr_d, gan.config.loss, gan.config.label_noise) == (1e-4, "non-saturating", 0.0)


@pytest.mark.parametrize("wrong", [{"generator_optimizer": "adam"}, {"loss_fn": "wings"}, {"loss_fn": nn.MSELoss()},
                                   {"discriminator_optimizer": torch.optim.SGD([torch.zeros(1)], 0.1)},
                                   {"discriminator_optimizer": -1.0}])
def test_compile_refuses_what_the_trainer_does_not_do(wrong):
    with pytest.raises(ValueError, match=r"give|choose"):
        DCGAN(**small(), latent_dim=5).compile(**wrong)


@pytest.mark.parametrize(("change", "word"), [
    ({"latent_dim": 6}, "latent_dim"), ({"generator": "G"}, "torch.nn.Module"),
    ({"generator": nn.Linear(5, 3)}, r"must make pictures, such as \(2, 1, 28, 28\)"),
    ({"discriminator": nn.Sequential(nn.Flatten(), nn.Linear(784, 2))}, r"must make one logit of each, \(2,\) or \(2, 1\)"),
    ({"discriminator": nn.Linear(3, 1)}, "do not fit"), ({"generator": nn.Identity()}, "no weights"),
    ({"generator": nn.LSTM(5, 28)}, r"makes a tuple of two z; it must make")])
def test_networks_that_do_not_fit_are_refused_at_once(change, word):
    with pytest.raises(ValueError, match=word):
        DCGAN(**{**small(), "latent_dim": 5, **change})


def test_pictures_of_samples_and_history_leave_pyplot_alone():
    import matplotlib.pyplot as plt

    gan = DCGAN(**small(), latent_dim=5)
    with pytest.raises(ValueError, match="train first"):
        gan.plot_history()
    gan.fit(PICTURES, epochs=2, batch_size=4)
    for figure in (gan.plot_history(), gan.plot_samples(5)):
        assert figure._repr_png_().startswith(b"\x89PNG")
    assert not plt.get_fignums()
    shown = [axes.images[0].get_array() for axes in gan.plot_samples(5).axes if axes.images]
    np.testing.assert_array_equal(np.stack(shown), gan.generate(5))
