"""The course's own cells, pasted: Keras models go in, learn as the course's networks do, and hold what was learned."""

import numpy as np
import pytest
import torch

from benchmarks import keras_course
from gan_core import DCGAN, course_discriminator, course_generator
from gan_core.notebook.keras_models import KerasNetwork

keras = pytest.importorskip("keras")
PICTURES = np.random.default_rng(0).random((48, 28, 28, 1)).astype("float32")
EVENTS = ["on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end"]


def weights(model):
    return [np.array(w) for w in model.get_weights()]


def test_the_courses_cells_run_as_they_stand(tmp_path, capfd):
    layers, latent_dim = keras.layers, 128
    inputs = keras.Input(shape=(28, 28, 1))
    x = layers.Conv2D(64, kernel_size=4, strides=2, padding="same")(inputs)
    x = layers.LeakyReLU(alpha=0.2)(x)
    x = layers.Conv2D(128, kernel_size=4, strides=2, padding="same")(x)
    x = layers.LeakyReLU(alpha=0.2)(x)
    x = layers.Conv2D(128, kernel_size=4, strides=2, padding="same")(x)
    x = layers.LeakyReLU(alpha=0.2)(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    discriminator = keras.Model(inputs, outputs, name="discriminator")

    inputs = keras.Input(shape=(latent_dim,))
    x = layers.Dense(7 * 7 * 64)(inputs)
    x = layers.Reshape((7, 7, 64))(x)
    x = layers.UpSampling2D()(x)
    x = layers.Conv2D(128, kernel_size=3, strides=1, padding="same", activation="relu")(x)
    x = layers.UpSampling2D()(x)
    x = layers.Conv2D(256, kernel_size=3, strides=1, padding="same", activation="relu")(x)
    outputs = layers.Conv2D(1, kernel_size=5, strides=1, padding="same", activation="sigmoid")(x)
    generator = keras.Model(inputs, outputs, name="generator")

    gan = DCGAN(discriminator=discriminator, generator=generator, latent_dim=latent_dim)
    gan.compile(discriminator_optimizer=keras.optimizers.Adam(learning_rate=1e-4),
                generator_optimizer=keras.optimizers.Adam(learning_rate=1e-4), loss_fn=keras.losses.BinaryCrossentropy())
    before = weights(generator), weights(discriminator)
    history = gan.fit(PICTURES, epochs=1, batch_size=16, verbose=2)

    assert gan.generator is generator and gan.discriminator is discriminator
    for old, model in zip(before, (generator, discriminator), strict=True):
        assert not any(np.array_equal(a, b) for a, b in zip(old, weights(model), strict=True))  # every tensor has learned
    assert list(history) == ["d_loss", "g_loss", "d_real", "d_fake"] and np.isfinite(list(history.values())).all()
    assert capfd.readouterr().out.startswith("epoch 1/1: d_loss ")
    z = np.random.default_rng(1).normal(size=(3, latent_dim)).astype("float32")
    np.testing.assert_allclose(generator.predict(z, verbose=0)[..., 0], gan.generate(z), atol=1e-5)
    generator.summary(print_fn=lambda *_, **__: None)
    generator.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(again.predict(z, verbose=0), generator.predict(z, verbose=0))


def test_the_courses_models_learn_bit_for_bit_what_the_courses_networks_learn():
    discriminator, generator = keras_course.networks("sigmoid")
    mine = DCGAN(course_discriminator(), course_generator())
    for network, model in ((mine.discriminator, discriminator), (mine.generator, generator)):
        network.load_state_dict(KerasNetwork(model, model.input_shape[1:]).network.state_dict())
    theirs = DCGAN(discriminator, generator)
    expected, found = (gan.fit(PICTURES, epochs=2, batch_size=16, seed=5, verbose=0) for gan in (mine, theirs))
    assert found == expected
    for network, model in ((mine.discriminator, discriminator), (mine.generator, generator)):
        for name, tensor in KerasNetwork(model, model.input_shape[1:]).network.state_dict().items():
            assert torch.equal(tensor, network.state_dict()[name]), name


def small_models(end="tanh"):
    layers = keras.layers
    generator = keras.Sequential([keras.Input((6,)), layers.Dense(7 * 7 * 2), layers.BatchNormalization(), layers.LeakyReLU(0.2),
                                  layers.Reshape((7, 7, 2)),
                                  layers.Conv2DTranspose(1, 5, strides=4, padding="same", use_bias=False, activation=end)])
    discriminator = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 5, strides=4, padding="same"),
                                      layers.BatchNormalization(), layers.LeakyReLU(0.2), layers.Dropout(0.3), layers.Flatten(),
                                      layers.Dense(1, activation="sigmoid")])
    return {"discriminator": discriminator, "generator": generator, "latent_dim": 6}


def test_models_of_other_layers_learn_and_hold_it_after_each_epoch():
    gan = DCGAN(**small_models())
    z = np.random.default_rng(1).normal(size=(3, 6)).astype("float32")
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert self.model is gan
            seen.append((epoch, sorted(logs), np.array(self.model.generator.predict(z, verbose=0))))

    gan.fit(PICTURES * 2 - 1, epochs=3, batch_size=16, callbacks=[Watch()], verbose=0)
    assert [(epoch, names) for epoch, names, _ in seen] == [(k, ["d_fake", "d_loss", "d_real", "g_loss"]) for k in range(3)]
    assert not np.allclose(seen[0][2], seen[1][2]) and not np.allclose(seen[1][2], seen[2][2])
    np.testing.assert_allclose((seen[2][2][..., 0] + 1) / 2, gan.generate(z), atol=1e-5)


def test_weights_that_are_set_between_two_fits_count():
    gan, z = DCGAN(**small_models("sigmoid")), np.ones((1, 6), "float32")
    gan.fit(PICTURES, batch_size=16, verbose=0)
    before = gan.generate(z)
    gan.generator.set_weights([2 * w for w in gan.generator.get_weights()])
    expected = gan.generator.predict(z, verbose=0)[..., 0]
    assert not np.allclose(expected, before, atol=1e-2)
    np.testing.assert_allclose(gan.generate(z), expected, atol=1e-5)
    gan.fit(PICTURES, batch_size=48, verbose=0)  # one step of a rate of 1e-4 moves little
    np.testing.assert_allclose(gan.generate(z), expected, atol=1e-2)


def test_an_interrupted_fit_keeps_what_was_learned():
    gan = DCGAN(**small_models())
    before = weights(gan.generator)

    class Stop:
        def on_train_batch_end(self, batch, logs):
            if batch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gan.fit(PICTURES, batch_size=16, callbacks=Stop(), verbose=0)
    assert not np.array_equal(before[0], weights(gan.generator)[0])


def test_what_was_saved_of_keras_models_is_loaded_into_keras_models(tmp_path):
    gan = DCGAN(**small_models())
    gan.fit(PICTURES, batch_size=16, verbose=0)
    gan.save(tmp_path / "gan.safetensors")
    other = small_models()
    again = DCGAN.load(tmp_path / "gan.safetensors", other["discriminator"], other["generator"])
    np.testing.assert_array_equal(again.generate(4), gan.generate(4))
    for a, b in zip(weights(other["discriminator"]), weights(gan.discriminator), strict=True):
        np.testing.assert_array_equal(a, b)


def test_callbacks_are_called_as_keras_calls_them():
    told = []
    callback = type("Callback", (), {name: (lambda self, *args, name=name: told.append((name, *args))) for name in EVENTS})()
    DCGAN(**small_models()).fit(PICTURES, epochs=2, batch_size=24, callbacks=[callback], verbose=0)
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    epoch = ["on_epoch_begin", *batch, *batch, "on_epoch_end"]
    assert [name for name, *_ in told] == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert [args[0] for name, *args in told if name in batch] == [0, 0, 1, 1] * 2
    last = [args[1] for name, *args in told if name == "on_train_batch_end"][-2:]
    mean = [args[1] for name, *args in told if name == "on_epoch_end"][-1]
    assert mean["d_loss"] == pytest.approx(np.mean([logs["d_loss"] for logs in last]))


def test_a_callback_may_stop_the_training_as_in_keras():
    gan = DCGAN(**small_models())
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(gan, "stop_training", epoch == 1))
    assert len(gan.fit(PICTURES, epochs=5, batch_size=24, callbacks=[stop], verbose=0)["d_loss"]) == 2
    assert len(gan.fit(PICTURES, epochs=1, batch_size=24, verbose=0)["d_loss"]) == 3


def test_pictures_in_a_callback_take_nothing_back():
    """The Keras models are an epoch behind then; what has been learned since stays."""
    results = []
    for asks in (False, True):
        keras.utils.set_random_seed(3)
        gan = DCGAN(**small_models())

        class Ask:
            def on_train_batch_end(self, batch, logs, gan=gan, asks=asks):
                if asks:
                    gan.generate(1)

        gan.fit(PICTURES, batch_size=8, callbacks=Ask(), verbose=0)
        results.append(weights(gan.generator))
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_the_callbacks_of_keras_that_need_no_optimizer_work(tmp_path):
    gan = DCGAN(**small_models())
    stop = keras.callbacks.EarlyStopping(monitor="g_loss", mode="max", patience=1, restore_best_weights=True)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    callbacks = [keras.callbacks.History(), log, keras.callbacks.TerminateOnNaN(), stop,
                 keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), monitor="d_loss", mode="min")]
    history = gan.fit(PICTURES, epochs=3, batch_size=16, callbacks=callbacks, verbose=0)
    assert len(history["d_loss"]) == len(gan.history["d_loss"]) >= 2 and (tmp_path / "1.keras").exists()
    assert (tmp_path / "log.csv").read_text().startswith("epoch,d_fake,d_loss,d_real,g_loss")
    np.testing.assert_allclose(gan.generator.predict(np.ones((1, 6)), verbose=0)[..., 0], 2 * gan.generate(np.ones((1, 6))) - 1,
                               atol=1e-5)


@pytest.mark.parametrize(("change", "part"), [
    (lambda models: setattr(models["generator"].layers[0], "trainable", False), "'dense.*' is not trainable; here all layers"),
    (lambda models: models.update(latent_dim=7), r"takes \(6,\); here it gets \(7,\)"),
    (lambda models: models.update(discriminator=models["generator"]), r"takes \(6,\); here it gets \(28, 28, 1\)")])
def test_models_that_would_learn_something_else_are_refused(change, part):
    models = small_models()
    change(models)
    with pytest.raises(ValueError, match=part) as caught:
        DCGAN(**models)
    assert "\n" not in str(caught.value)


def test_a_discriminator_that_is_frozen_as_a_whole_learns_in_its_own_step():
    models = small_models()
    models["discriminator"].trainable = False  # as in notebooks that train through a combined model
    gan = DCGAN(**models)
    before = weights(gan.discriminator)
    gan.fit(PICTURES, batch_size=16, verbose=0)
    assert not np.array_equal(before[0], weights(gan.discriminator)[0])


@pytest.mark.parametrize(("how", "part"), [
    (lambda: {"loss_fn": keras.losses.BinaryCrossentropy(label_smoothing=0.2)}, "loss_fn has label_smoothing=0.2"),
    (lambda: {"loss_fn": torch.nn.BCEWithLogitsLoss(pos_weight=torch.ones(1))}, "loss_fn has a pos_weight"),
    (lambda: {"generator_optimizer": keras.optimizers.Adam(clipnorm=1.0)}, "the optimizer has clipnorm=1.0"),
    (lambda: {"generator_optimizer": torch.optim.Adam([torch.zeros(1)], weight_decay=0.1)}, "the optimizer has weight_decay=0.1"),
    (lambda: {"discriminator_optimizer": keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.9))},
     "learning rate is a schedule")])
def test_what_would_be_forgotten_is_refused(how, part):
    with pytest.raises(ValueError, match=part):
        DCGAN(**small_models()).compile(**how())


@pytest.mark.parametrize(("wrong", "part"), [
    ({"callbacks": [keras.callbacks.LearningRateScheduler(lambda k, r: r)]}, "LearningRateScheduler changes the rate of a"),
    ({"callbacks": [keras.callbacks.History]}, r"callbacks hold the class History; give an object of it: History\(\.\.\.\)"),
    ({"callbacks": [print]}, "callbacks hold a builtin_function_or_method; give objects with on_train_batch_end, on_epoch_end"),
    ({"verbose": 7}, "verbose is 7; give 0"), ({"verbose": None}, "verbose is None; give 0")])
def test_other_callbacks_are_refused_before_anything_trains(wrong, part):
    gan = DCGAN(**small_models())
    with pytest.raises(ValueError, match=part):
        gan.fit(PICTURES, **wrong)
    assert gan.history["d_loss"] == []


@pytest.mark.parametrize("latent_dim", [1, 3, 16, 100, 128])
def test_the_picture_k_depends_on_the_seed_and_k_alone(latent_dim):
    torch.manual_seed(0)
    G = torch.nn.Sequential(torch.nn.Linear(latent_dim, 49), torch.nn.Sigmoid(), torch.nn.Unflatten(1, (1, 7, 7)))
    D = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(49, 1))
    gan = DCGAN(D, G, latent_dim)
    many = gan.generate(25, seed=7)
    for count in (1, 2, 7, 24):
        np.testing.assert_allclose(gan.generate(count, seed=7), many[:count], atol=1e-6)
    assert not np.allclose(gan.generate(25, seed=8), many)
