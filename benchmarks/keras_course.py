"""The notebook's two networks in Keras: reference for tests and for the benchmark. Nothing else needs Keras."""

from __future__ import annotations

from typing import Any

LATENT = 128


def networks() -> tuple[Any, Any]:
    """(discriminator giving logits, generator giving [0, 1]), NHWC, as in the notebook; imports Keras when called."""
    import keras
    from keras import layers

    discriminator = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(64, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(128, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(128, kernel_size=4, strides=2, padding="same"), layers.LeakyReLU(negative_slope=0.2),
        # Labels exceed 1, which the torch backend's cross-entropy accepts only with logits: no sigmoid.
        layers.Flatten(), layers.Dropout(0.2), layers.Dense(1)])
    generator = keras.Sequential([
        keras.Input((LATENT,)),
        layers.Dense(7 * 7 * 64), layers.Reshape((7, 7, 64)),
        layers.UpSampling2D(), layers.Conv2D(128, kernel_size=3, padding="same", activation="relu"),
        layers.UpSampling2D(), layers.Conv2D(256, kernel_size=3, padding="same", activation="relu"),
        layers.Conv2D(1, kernel_size=5, padding="same", activation="sigmoid")])
    return discriminator, generator
