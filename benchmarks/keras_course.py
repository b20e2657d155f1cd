"""The notebook's two networks in Keras and the training of them: reference for tests and benchmarks. Nothing else needs Keras."""

from __future__ import annotations

from typing import Any

LATENT = 128


def networks(end: str | None = None) -> tuple[Any, Any]:
    """(discriminator, generator giving [0, 1]), NHWC, as in the notebook; imports Keras when called.

    end: the discriminator's last activation, "sigmoid" in the notebook. None gives logits.
    """
    import keras
    from keras import layers

    discriminator = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(64, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(128, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(128, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        # Labels exceed 1, which the torch backend's cross-entropy accepts only with logits: no sigmoid unless asked for.
        layers.Flatten(), layers.Dropout(0.2), layers.Dense(1, activation=end)])
    generator = keras.Sequential([
        keras.Input((LATENT,)),
        layers.Dense(7 * 7 * 64), layers.Reshape((7, 7, 64)),
        layers.UpSampling2D(), layers.Conv2D(128, kernel_size=3, padding="same", activation="relu"),
        layers.UpSampling2D(), layers.Conv2D(256, kernel_size=3, padding="same", activation="relu"),
        layers.Conv2D(1, kernel_size=5, padding="same", activation="sigmoid")])
    return discriminator, generator


def gan(discriminator: Any, generator: Any) -> Any:
    """A compiled keras.Model that trains both, as Keras users write a GAN: a custom train_step, run by fit, on the torch backend.

    discriminator: giving logits (N, 1).
    """
    import keras
    import torch

    class GAN(keras.Model):
        """Two updates a step: the discriminator on one labelled batch of both kinds, then the generator through it."""

        def __init__(self) -> None:
            super().__init__()
            self.built = True  # both parts are built; the model itself is never called
            self.discriminator, self.generator = discriminator, generator
            self.loss_function = keras.losses.BinaryCrossentropy(from_logits=True)
            self.d_optimizer, self.g_optimizer = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)

        def train_step(self, data):
            real = data[0] if isinstance(data, tuple) else data
            n = len(real)
            with torch.no_grad():
                fake = self.generator(keras.random.normal((n, LATENT)), training=True)
            labels = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
            labels = labels + 0.05 * torch.rand_like(labels)
            d_loss = self.loss_function(labels, self.discriminator(torch.cat([fake, real]), training=True))
            self.update(d_loss, self.discriminator.trainable_weights, self.d_optimizer)

            self.discriminator.trainable = False
            logits = self.discriminator(self.generator(keras.random.normal((n, LATENT)), training=True), training=True)
            g_loss = self.loss_function(torch.zeros(n, 1), logits)
            self.update(g_loss, self.generator.trainable_weights, self.g_optimizer)
            self.discriminator.trainable = True
            return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}

        def update(self, loss, weights, optimizer):
            self.zero_grad()
            loss.backward()
            with torch.no_grad():
                optimizer.apply([w.value.grad for w in weights], weights)

    model = GAN()
    model.compile()
    return model
