"""Keras models become torch networks of the same outputs, and get back what was learned; Keras itself is the oracle."""

import numpy as np
import pytest
import torch

from benchmarks import keras_course
from gan_core import course_discriminator, course_generator
from gan_core.notebook.keras_layers import LAYERS, UnsupportedLayer
from gan_core.notebook.keras_models import KerasNetwork, UnsupportedModel

keras = pytest.importorskip("keras")
layers = keras.layers


def shaken(model, seed=0):
    """The model with weights that are not those of its start: biases of 0 and variances of 1 would hide a mistake."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            shaken(layer, seed + 1)
        elif layer.weights:
            layer.set_weights([np.abs(rng.normal(1, 0.2, w.shape)) if name.endswith("variance")
                               else w + rng.normal(0, 0.1, w.shape) for name, w in
                               ((v.name, np.asarray(a)) for v, a in zip(layer.weights, layer.get_weights(), strict=True))])
    return model


def nchw(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2) if x.ndim == 4 else torch.from_numpy(x)


def nhwc(x):
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).detach().numpy()


def sequential(shape, *stack):
    return keras.Sequential([keras.Input(shape), *stack])


def functional():
    """A branch, a sum, a join, a layer that is used twice, and a model within the model."""
    x = inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(4, 3, padding="same", activation="relu")
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()])
    x = shared(x)
    y = layers.Add()([x, inner(x)])
    y = layers.Concatenate()([y, layers.Conv2D(2, 1)(x)])
    y = layers.Conv2D(3, 1)(y)
    y = shared(y)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(y)))


PICTURE = (13, 11, 3)  # odd and not square: where padding and axes show
MODELS = {
    "dense": lambda: sequential((5,), layers.Dense(7, activation="tanh"), layers.Dense(3, use_bias=False)),
    "dense of channels": lambda: sequential(PICTURE, layers.Dense(4, activation="elu")),
    **{f"conv {size} {strides} {padding}": lambda size=size, strides=strides, padding=padding: sequential(
        PICTURE, layers.Conv2D(4, size, strides=strides, padding=padding))
       for size in (1, 2, 3, 4, 5, (2, 5)) for strides in (1, 2, 3) for padding in ("same", "valid")},
    "conv dilated": lambda: sequential(PICTURE, layers.Conv2D(4, 4, dilation_rate=2, padding="same"), layers.Conv2D(
        4, 3, dilation_rate=(1, 2))),
    "conv in groups": lambda: sequential((9, 9, 4), layers.Conv2D(6, 3, groups=2)),
    **{f"transposed {size} {strides} {padding}": lambda size=size, strides=strides, padding=padding: sequential(
        (5, 4, 3), layers.Conv2DTranspose(4, size, strides=strides, padding=padding))
       for size in (1, 2, 3, 4, 5, (2, 5)) for strides in (1, 2, 3) for padding in ("same", "valid")},
    "transposed, output padding": lambda: sequential((5, 4, 3), layers.Conv2DTranspose(
        4, 3, strides=2, padding="same", output_padding=1)),
    "batch norm": lambda: sequential(PICTURE, layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(6),
                                     layers.BatchNormalization(momentum=0.8, epsilon=1e-5)),
    "batch norm without weights": lambda: sequential((5,), layers.BatchNormalization(scale=False, center=False)),
    "pools": lambda: sequential(PICTURE, layers.MaxPooling2D(3, 2, padding="same"), layers.AveragePooling2D(2)),
    "global average": lambda: sequential(PICTURE, layers.GlobalAveragePooling2D()),
    "global maximum": lambda: sequential(PICTURE, layers.GlobalMaxPooling2D()),
    "borders": lambda: sequential(PICTURE, layers.ZeroPadding2D(((1, 2), (3, 4))), layers.Cropping2D(((2, 1), (1, 3)))),
    "upsampling": lambda: sequential(PICTURE, layers.UpSampling2D((2, 3)), layers.UpSampling2D(2, interpolation="bilinear")),
    "reshapes": lambda: sequential((24,), layers.Reshape((2, 3, 4)), layers.Conv2D(5, 2), layers.Reshape((10,)), layers.Dense(2)),
    "activations": lambda: sequential((6,), *(layers.Activation(name) for name in (
        "relu6", "softplus", "selu", "gelu", "silu", "mish", "softsign", "hard_sigmoid", "exponential", "leaky_relu", "linear"))),
    "activation layers": lambda: sequential((6,), layers.LeakyReLU(0.1), layers.ELU(0.7), layers.ReLU(0.5, 0.2),
                                            layers.Dense(4, activation=layers.LeakyReLU(0.3)), layers.ReLU()),
    "rescaling and dropout": lambda: sequential(PICTURE, layers.Rescaling(2.0, -1.0), layers.Dropout(0.5)),
    "a model in a model": lambda: sequential((5,), sequential((5,), layers.Dense(8, activation="relu")), layers.Dense(2)),
    "functional": functional,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_torch_form_gives_what_keras_gives_and_gives_the_weights_back(name):
    model = shaken(MODELS[name]())
    converted = KerasNetwork(model, model.input_shape[1:])
    x = np.random.default_rng(1).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    converted.network.eval()
    with torch.no_grad():
        found = nhwc(converted.network(nchw(x)))
    expected = model.predict(x, verbose=0)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        for parameter in converted.network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
        changed = nhwc(converted.network(nchw(x)))
    converted.write_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), changed, atol=1e-5, rtol=1e-5)


def test_batch_norm_learns_the_statistics_that_keras_learns():
    model = shaken(sequential((6, 6, 3), layers.BatchNormalization(momentum=0.7)))
    converted = KerasNetwork(model, (6, 6, 3))
    x = np.random.default_rng(1).normal(2, 3, (4, 6, 6, 3)).astype(np.float32)
    converted.network.train()
    mine = nhwc(converted.network(nchw(x)))
    theirs = keras.ops.convert_to_numpy(model(x, training=True))
    np.testing.assert_allclose(mine, theirs, atol=1e-5)
    expected = [np.asarray(w) for w in model.get_weights()]
    converted.write_weights()
    for a, b in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("end", ["sigmoid", None])
def test_the_courses_two_models_get_the_courses_networks(end):
    discriminator, generator = keras_course.networks(end)
    D, G = (KerasNetwork(shaken(model), model.input_shape[1:]) for model in (discriminator, generator))
    assert type(D.network) is type(course_discriminator()) and type(G.network) is type(course_generator())


def test_other_models_than_the_courses_keep_their_own_layers():
    _, generator = keras_course.networks()
    last = layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    other = keras.Sequential([keras.Input((128,)), *generator.layers[:-1], last])
    assert type(KerasNetwork(other, (128,)).network) is not type(course_generator())


@pytest.mark.parametrize(("stack", "part"), [
    (lambda: [layers.Conv1D(3, 2)], "'sad' (Conv1D) has no torch form here; there are: Activation, "),
    (lambda: [layers.Conv2D(3, 2, activation="softmax")], "(Conv2D) has the activation 'softmax'; give one of: "),
    (lambda: [layers.Conv2D(3, 2, kernel_constraint="non_neg")], "(Conv2D) has a kernel_constraint, which only Keras'"),
    (lambda: [layers.BatchNormalization(axis=1)], "normalises over the axis"),
    (lambda: [layers.BatchNormalization(scale=False)], "has only one of scale and center"),
    (lambda: [layers.Dropout(0.1, noise_shape=(None, 1, 1, 3))], "has a noise_shape"),
    (lambda: [layers.AveragePooling2D(2, padding="same")], 'has the padding "same"'),
    (lambda: [layers.Reshape((9, 16))], "(Reshape) makes (9, 16); give (d,) or"),
    (lambda: [layers.UpSampling2D(2, interpolation="lanczos3")], "has the interpolation 'lanczos3'"),
    (lambda: [layers.GaussianNoise(0.1)], "(GaussianNoise) has no torch form here"),
])
def test_what_cannot_be_taken_is_refused_by_the_layers_name(stack, part):
    shape = (12, 3) if "Conv1D" in part else (6, 8, 3)
    stack = stack()
    stack[0].name = "sad"
    with pytest.raises(UnsupportedLayer) as caught:
        KerasNetwork(sequential(shape, *stack), shape)
    assert part in str(caught.value) and "'sad'" in str(caught.value) and "\n" not in str(caught.value)


def test_models_with_a_call_of_their_own_and_several_inputs_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UnsupportedModel, match=r"has a call of its own; give a keras\.Sequential"):
        KerasNetwork(Own(), (3,))
    a, b = keras.Input((3,)), keras.Input((3,))
    with pytest.raises(UnsupportedModel, match="has several inputs"):
        KerasNetwork(keras.Model([a, b], layers.Add()([a, b])), (3,))


def test_a_form_that_gives_something_else_is_never_used(monkeypatch):
    monkeypatch.setitem(LAYERS, "Flatten", lambda config, weights: torch.nn.Flatten())  # the order of torch
    with pytest.raises(UnsupportedModel, match="differs from it by"):
        KerasNetwork(shaken(sequential((3, 3, 2), layers.Flatten(), layers.Dense(1))), (3, 3, 2))
