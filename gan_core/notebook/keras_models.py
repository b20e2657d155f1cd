"""A Keras model as a torch network of the same outputs, whose weights can be written back.

The model is converted, not wrapped: its layers are read from `get_config()`, so that nothing of Keras runs while it trains. The
result is compared with the model before it is used. The course's two models get the course's own networks, which are faster.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..networks.course import CourseDiscriminator, CourseGenerator
from ..networks.layers import Dropout
from . import keras_layers as kl

Key = tuple[Any, ...]  # of a value in a model: the layer's name, the number of its call, and what of it
TOLERANCE = 1e-4  # largest difference between an output of the model and of its torch form
ROWS = 8  # of the comparison


class UnsupportedModel(ValueError):
    """A Keras model that has no torch form here; the message says why."""


def is_keras_model(network: Any) -> bool:
    """Whether it is a model of Keras, which is not imported for the question."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(network, keras.Model)


@dataclass(frozen=True)
class Call:
    """One use of a layer: module number `module` of the graph gives the value `output` of the values `inputs`."""

    module: int
    inputs: tuple[Key, ...]
    output: Key


class Graph(nn.Module):
    """The layers of one model in the order in which they are called; takes and gives (N, d) or (N, C, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()  # by numbers, because Keras gives other names to the layers of every other model
        self._numbers: dict[str, int] = {}
        self.calls: list[Call] = []
        self.input: Key = ()
        self.output: Key = ()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {self.input: x}
        for call in self.calls:
            values[call.output] = self.layers[call.module](*(values[key] for key in call.inputs))
        return values[self.output]

    def find(self, name: str) -> nn.Module | None:
        """The module of this name, if there is one already."""
        return self.layers[self._numbers[name]] if name in self._numbers else None

    def add(self, name: str, module: nn.Module, inputs: tuple[Key, ...], output: Key) -> Key:
        """Calls `module`, which `find` knows as `name` from its first call on."""
        if name not in self._numbers:
            self._numbers[name] = len(self.layers)
            self.layers.append(module)
        self.calls.append(Call(self._numbers[name], inputs, output))
        return output

    def last_activation(self) -> str:
        """The name of the function that the output comes from, such as "sigmoid"; "" where it comes from anything else."""
        module = self.layers[self._last_call().module]
        if isinstance(module, Graph):
            return module.last_activation()
        return module.name if isinstance(module, kl.Function) else ""

    def drop_last_activation(self) -> None:
        """From now on gives what went into that function."""
        call = self._last_call()
        module = self.layers[call.module]
        if isinstance(module, Graph):
            module.drop_last_activation()
        else:
            self.calls.remove(call)
            (self.output,) = call.inputs

    def _last_call(self) -> Call:
        return next(call for call in self.calls if call.output == self.output)

    def chain(self) -> Iterator[nn.Module]:
        """The modules one after another, of models within it too; nothing more where a value is used twice."""
        current = self.input
        for call in self.calls:
            if call.inputs != (current,):
                return
            module = self.layers[call.module]
            yield from module.chain() if isinstance(module, Graph) else module if isinstance(module, nn.Sequential) else [module]
            current = call.output


class KerasNetwork:
    """A Keras model and its torch form, `network`: (N, d) -> (N, C, H, W), or (N, C, H, W) -> (N, 1).

    `last` is the model's last activation. Raises UnsupportedModel, and UnsupportedLayer with the layer's name, both ValueErrors.
    """

    def __init__(self, model: Any, input_shape: tuple[int, ...]) -> None:
        """input_shape: of one input as Keras has it, (d,) or (H, W, C), for a model that is not built yet."""
        self.model, self._holders = model, []  # type: Any, list[tuple[Any, nn.Module]]
        if not model.built:
            model.build((None, *input_shape))
        takes = tuple(getattr(model, "input_shape", None) or ())
        if takes[1:] != tuple(input_shape) and isinstance(getattr(model, "input_shape", None), tuple):
            raise UnsupportedModel(f"the model {model.name!r} takes {takes[1:]}; here it gets {tuple(input_shape)}: a generator "
                                   "takes latent_dim numbers, a discriminator what the generator makes.")
        policy = getattr(getattr(model, "dtype_policy", None), "name", "float32")
        if policy != "float32":
            raise UnsupportedModel(f"the model {model.name!r} computes in {policy}; build it with "
                                   'keras.config.set_dtype_policy("float32"): what is faster is chosen here.')
        self._refuse_partly_frozen(model)
        graph = self._convert(model)
        self.last = graph.last_activation()
        self.network: nn.Module = self._course_form(graph) or graph
        self.read_weights()
        self._compare(input_shape)

    def read_weights(self) -> None:
        """Takes the model's weights, and the running statistics of its batch norms."""
        for layer, module in self._holders:
            kl.read_weights(module, layer.get_weights())

    def write_weights(self) -> None:
        """Gives them back to the model."""
        for layer, module in self._holders:
            layer.set_weights(kl.write_weights(module))

    def _refuse_partly_frozen(self, model: Any) -> None:
        """A model that is frozen as a whole is one that a combined model trained through; here the two steps decide that."""
        frozen = [layer.name for layer in model.layers if layer.weights and not layer.trainable]
        if frozen and len(frozen) < sum(bool(layer.weights) for layer in model.layers):
            raise UnsupportedModel(f"the layer {frozen[0]!r} is not trainable; here all layers learn: set its trainable to True.")

    # Conversion.

    def _convert(self, model: Any) -> Graph:
        config = model.get_config()
        if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
            raise UnsupportedModel(f"{type(model).__name__} {model.name!r} has a call of its own; give a keras.Sequential or a "
                                   "keras.Model(inputs, outputs), or the same network in torch.")
        return self._convert_functional(model, config) if "input_layers" in config else self._convert_sequential(model, config)

    def _convert_sequential(self, model: Any, config: Mapping[str, Any]) -> Graph:
        graph = Graph()
        graph.input = value = ("input",)
        entries = {entry["config"]["name"]: entry for entry in config["layers"]}
        for layer in model.layers:
            value = self._call(graph, layer, entries[layer.name], (value,), 0)
        graph.output = value
        return graph

    def _convert_functional(self, model: Any, config: Mapping[str, Any]) -> Graph:
        graph = Graph()
        graph.input, graph.output = (_only(config[f"{what}_layers"], model, f"{what}s") for what in ("input", "output"))
        for entry, node, inputs in _in_order(config["layers"], graph.input):
            self._call(graph, model.get_layer(entry["name"]), entry, inputs, node)
        return graph

    def _call(self, graph: Graph, layer: Any, entry: Mapping[str, Any], inputs: tuple[Key, ...], node: int) -> Key:
        """Adds one call of a layer, and of its activation; the key of what comes out."""
        name, kind, config = layer.name, entry["class_name"], entry["config"]
        output = (name, node, 0)
        if kind in ("Sequential", "Functional", "Model"):
            return graph.add(name, graph.find(name) or self._convert(layer), inputs, output)
        if kind not in kl.LAYERS:
            raise kl.refuse({"name": name}, kind, f"has no torch form here; there are: {', '.join(sorted(kl.LAYERS))}.")
        for field in ("kernel_constraint", "bias_constraint", "beta_constraint", "gamma_constraint"):
            if config.get(field):
                raise kl.refuse(config, kind, f"has a {field}, which only Keras' optimizers obey; leave it out.")
        module, function = graph.find(name), kl.activation(config, kind)
        if module is None:
            module = kl.LAYERS[kind](config, layer.get_weights())
            if layer.weights:
                self._holders.append((layer, kl.weighted(module)))
        if function is None:
            return graph.add(name, module, inputs, output)
        before = graph.add(name, module, inputs, (*output, "before"))
        return graph.add(f"{name} activation", as_module(function, config), (before,), output)

    # The course's own.

    def _course_form(self, graph: Graph) -> nn.Module | None:
        """The course's network, which is faster, where the model's layers are exactly its; it takes the place of all modules."""
        chain = list(graph.chain())
        layers = [repr(module) for module in chain]
        if layers == list(map(repr, _course_discriminator(self.last))):
            network: nn.Module = CourseDiscriminator()
            order = ["conv1", "conv2", "conv3", "dense"]
        elif chain and isinstance(chain[0], nn.Linear) and layers == list(map(repr, _course_generator(chain[0].in_features))):
            network, order = CourseGenerator(chain[0].in_features), ["dense", "conv1", "conv2", "conv3"]
        else:
            return None
        self._holders = [(layer, getattr(network, name)) for (layer, _), name in zip(self._holders, order, strict=True)]
        return network

    # The proof.

    @torch.no_grad()
    def _compare(self, input_shape: tuple[int, ...]) -> None:
        """Raises UnsupportedModel where the torch form gives anything else than the model, for the same random inputs."""
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=(ROWS, *input_shape)) if len(input_shape) == 1 else rng.random((ROWS, *input_shape))
        inputs = inputs.astype(np.float32)
        expected = np.asarray(self.model.predict_on_batch(inputs), dtype=np.float32)
        tensor = torch.from_numpy(inputs)
        self.network.eval()
        found = self.network(tensor if tensor.ndim == 2 else tensor.permute(0, 3, 1, 2))
        if isinstance(self.network, CourseDiscriminator):
            found = found[:, None].sigmoid() if self.last == "sigmoid" else found[:, None]
        self.network.train()
        found = (found if found.ndim == 2 else found.permute(0, 2, 3, 1)).numpy()
        worst = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
        if not worst <= TOLERANCE:
            raise UnsupportedModel(f"the torch form of {self.model.name!r} differs from it by {worst:.2g}, more than "
                                   f"{TOLERANCE:g}; give the same network in torch.")


def as_module(function: Any, config: Mapping[str, Any]) -> nn.Module:
    if isinstance(function, nn.Module):
        return function
    return kl.Function(function, str(config["activation"]))


def _only(places: Any, model: Any, what: str) -> Key:
    """The key of the one input or output of a functional model."""
    while isinstance(places, list | tuple) and len(places) == 1:
        places = places[0]
    if not isinstance(places, list | tuple) or len(places) != 3 or not isinstance(places[0], str):
        raise UnsupportedModel(f"{model.name!r} has several {what}; give a model with one.")
    return tuple(places)


def _in_order(entries: list[Mapping[str, Any]], first: Key) -> Iterator[tuple[Mapping[str, Any], int, tuple[Key, ...]]]:
    """(layer, number of its call, its inputs) of a functional model's config, each after what it needs."""
    known, waiting = {first}, [(entry, node, _inputs(entry, call)) for entry in entries
                               for node, call in enumerate(entry["inbound_nodes"])]
    while waiting:
        ready = [item for item in waiting if known.issuperset(item[2])]
        if not ready:
            raise UnsupportedModel(f"the layer {waiting[0][0]['name']!r} takes what no layer of the model gives.")
        for entry, node, inputs in ready:
            yield entry, node, inputs
            known.add((entry["name"], node, 0))
        waiting = [item for item in waiting if item not in ready]


def _inputs(entry: Mapping[str, Any], call: Mapping[str, Any]) -> tuple[Key, ...]:
    """The values that a call takes, as the config writes them. Raises UnsupportedLayer for a call with anything else."""
    for name, value in call.get("kwargs", {}).items():
        # Keras itself writes training=False for a call outside of training.
        if value is not None and not (name == "training" and value is False):
            raise kl.refuse(entry, entry["class_name"], f"is called with {name}={value!r}; leave it out.")
    found: list[Key] = []

    def collect(value: Any) -> None:
        if isinstance(value, list | tuple):
            for item in value:
                collect(item)
        elif isinstance(value, Mapping) and "keras_history" in value.get("config", {}):
            found.append(tuple(value["config"]["keras_history"]))
        else:
            raise kl.refuse(entry, entry["class_name"], f"is called with {value!r}; give it outputs of other layers alone.")

    collect(call["args"])
    return tuple(found)


def _course_discriminator(last: str) -> list[nn.Module]:
    """The layers of the course's discriminator as this module converts them; with or without the sigmoid behind."""
    chain: list[nn.Module] = []
    for inputs, outputs in ((1, 64), (64, 128), (128, 128)):
        chain += [kl.SamePadding((4, 4), (2, 2)), nn.Conv2d(inputs, outputs, 4, 2), nn.LeakyReLU(0.2)]
    chain += [kl.Function(torch.flatten, "flatten"), Dropout(0.2), kl.Dense(2048, 1)]
    return [*chain, kl.Function(torch.sigmoid, "sigmoid")] if last == "sigmoid" else chain


def _course_generator(latent_dim: int) -> list[nn.Module]:
    """The same of the course's generator."""
    double = nn.Upsample(scale_factor=(2.0, 2.0), mode="nearest")
    relu, sigmoid = kl.Function(torch.relu, "relu"), kl.Function(torch.sigmoid, "sigmoid")
    return [kl.Dense(latent_dim, 7 * 7 * 64), kl.Function(torch.reshape, "reshape (7, 7, 64)"),
            double, nn.Conv2d(64, 128, 3, 1, 1), relu,
            double, nn.Conv2d(128, 256, 3, 1, 1), relu, nn.Conv2d(256, 1, 5, 1, 2), sigmoid]
