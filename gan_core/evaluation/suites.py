"""What a generator is held against, chosen by the data: a judge, known centres, or measures without features.

A yardstick compares in slices: `prepare` and `compare` are generators that yield after each piece of work of about
`SLICE` seconds, so that whoever has something better to do need not wait. It knows no trainer and no time of day.

Every yardstick has `count` (how many fakes it wants), `headline` (the name by which generators are ranked, lower is better),
`prepare()`, `compare(fakes)` -> {name: number}, `others()` (as many other reals, for the floor) and `rank(values)`.
All draws of reals are from one fixed seed, so that the values of all runs on the same data can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import feature_free, measures
from .classifier import Classifier, class_histogram, split

SLICE = 0.02  # seconds that a slice aims at
COUNT = 1000  # pictures a side, as in the literature's precision and coverage at small scale
MOST_TRAINING = 10_000  # pictures among which the nearest is sought; of a larger set a part, so a copy of the rest is not seen
MISSED = 0.2  # a class counts as found with this part of a fair share

Values = dict[str, float]
Slices = Iterator[None]


class Sizes:
    """How many rows make a slice: learned from what the last ones took, job by job."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def each(self, job: str, total: int, work: Callable[[int, int], Any]) -> Slices:
        """work(start, stop) for all rows below `total`, a slice at a time."""
        start = 0
        while start < total:
            size = self._sizes.get(job, 16)
            stop, began = min(total, start + size), time.thread_time()
            work(start, stop)
            # Of the processor: beside a busy neighbour slices would shrink to single pictures, which cost five times as much.
            took = max(time.thread_time() - began, 1e-6)
            # Twice as many at most, so that a first fast slice does not promise too much.
            self._sizes[job] = max(1, int(min(2.0, SLICE / took) * (stop - start)))
            start = stop
            yield


class Suite:
    """What all have in common: sizes of slices, and a rank that is the headline's value."""

    headline = ""

    def __init__(self, count: int) -> None:
        self.count, self.sizes = count, Sizes()

    def prepare(self) -> Slices:
        raise NotImplementedError

    def compare(self, fakes: Tensor) -> Iterator[None]:
        raise NotImplementedError

    def others(self) -> Tensor:
        raise NotImplementedError

    def rank(self, values: Values) -> tuple[float, ...]:
        """Smaller is better."""
        return (values[self.headline],)


class _Pictures(Suite):
    """Two sides of `count` reals, `self.real` the reference, and the memory of training pictures for copies.

    images: uint8 (N, C, H, W), all that the generator is trained on; reference: the rows (n,) to hold fakes against.
    """

    def __init__(self, images: Tensor, reference: Tensor, rest: Tensor) -> None:
        super().__init__(min(len(reference), len(rest), COUNT))
        self.images, self.real = images, images[reference[:self.count].to(images.device)]
        self._others = rest[torch.randperm(len(rest), generator=_fixed())[:self.count]]
        order = torch.randperm(len(images), generator=_fixed())[:MOST_TRAINING]
        self._training = order.sort().values.to(images.device)

    def others(self) -> Tensor:
        return self.images[self._others.to(self.images.device)]

    def _learn_training(self) -> Slices:
        rows: list[Tensor] = []
        picks = self._training
        yield from self.sizes.each("small", len(picks), lambda a, b: rows.append(_small(self.images[picks[a:b]])))
        self._nearest = feature_free.NearestPicture(torch.cat(rows), COUNT)
        yield
        yield from self.sizes.each("nearest", min(COUNT, len(picks)), self._nearest.prepare)

    def _nearest_ratio(self, small: Tensor) -> Iterator[None]:
        """-> the ratio; `small` (count, d)."""
        found: list[Tensor] = []
        yield from self.sizes.each("nearest", len(small), lambda a, b: found.append(self._nearest.nearest(small[a:b])))
        return self._nearest.ratio(torch.cat(found))

    def _smalls(self, images: Tensor) -> Iterator[None]:
        rows: list[Tensor] = []
        yield from self.sizes.each("small", len(images), lambda a, b: rows.append(_small(images[a:b])))
        return torch.cat(rows)


class ClassifierSuite(_Pictures):
    """Labelled pictures that a judge reads: fd, kid, precision, recall, density, coverage, classes, class_kl, nearest.

    The reference are the judge's held-out pictures (`classifier.split`), on which its features are honest; the floor's other side
    are pictures it was fitted on. The generator is trained on both. Held-out pictures serve for nothing but this comparison.
    """

    headline = "fd"

    def __init__(self, images: Tensor, labels: Tensor, classifier: Classifier) -> None:
        known, held_out = split(labels.cpu(), min(COUNT, len(labels) // 5))
        # In turn through the classes, so that a shorter reference is as even.
        super().__init__(images, held_out[torch.randperm(len(held_out), generator=_fixed())], known)
        self.classifier = classifier.to(images.device)
        self.histogram: list[float] = []

    def prepare(self) -> Slices:
        features, _ = yield from self._read(self.real)
        self.neighbours = measures.Neighbours(features)
        yield from self.sizes.each("neighbours", len(features), self.neighbours.learn)
        yield from self._learn_training()

    def _read(self, images: Tensor) -> Iterator[None]:
        found: list[tuple[Tensor, Tensor]] = []
        yield from self.sizes.each("judge", len(images), lambda a, b: found.append(self.classifier.read(images[a:b])))
        return tuple(torch.cat(part).cpu() for part in zip(*found, strict=True))

    def compare(self, fakes: Tensor) -> Iterator[None]:
        features, probabilities = yield from self._read(fakes)
        real = self.neighbours.real
        values = {"fd": measures.frechet_distance(real, features)}
        yield
        values["kid"] = measures.kernel_distance(real, features)
        yield
        self.neighbours.begin(features)
        yield from self.sizes.each("neighbours", len(features), self.neighbours.look)
        values["precision"], values["recall"] = self.neighbours.precision_recall()
        values["density"], values["coverage"] = self.neighbours.density_coverage()
        share = class_histogram(probabilities)
        values["classes"] = int((share >= MISSED / len(share)).sum())
        values["class_kl"] = measures.class_divergence(share)
        self.histogram = [round(part, 4) for part in share.tolist()]
        values["nearest"] = yield from self._nearest_ratio((yield from self._smalls(fakes)))
        return values


class FeatureFreeSuite(_Pictures):
    """Pictures of any kind: patches (SlicedPatches), coverage, diversity, nearest, see `featurefree`; 1,000 are the reference."""

    headline = "patches"

    def __init__(self, images: Tensor) -> None:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
        half = len(images) // 2
        super().__init__(images, order[:half], order[half:])
        shape = tuple(images.shape[1:])
        self.patches = feature_free.SlicedPatches(self.count, shape)
        self.network = feature_free.random_features(shape).to(images.device)

    def prepare(self) -> Slices:
        self.patches.begin("real")
        yield from self.sizes.each("patches", self.count, lambda a, b: self.patches.add(self.real[a:b]))
        for level in range(self.patches.levels):
            self.patches.learn(level)
            yield
        features = yield from self._features(self.real)
        self._middle, self._unit = features.mean(0), features.std(0).mean()
        self.neighbours = measures.Neighbours((features - self._middle) / self._unit)
        yield from self.sizes.each("neighbours", self.count, self.neighbours.learn)
        yield from self._learn_training()
        self._small_real = yield from self._smalls(self.real)

    def _features(self, images: Tensor) -> Iterator[None]:
        found: list[Tensor] = []
        yield from self.sizes.each("random", len(images),
                                   lambda a, b: found.append(self.network(feature_free.unit(images[a:b])).cpu()))
        return torch.cat(found)

    def compare(self, fakes: Tensor) -> Iterator[None]:
        self.patches.begin()
        yield from self.sizes.each("patches", self.count, lambda a, b: self.patches.add(fakes[a:b]))
        levels = []
        for level in range(self.patches.levels):
            levels.append(self.patches.distance(level))
            yield
        features = yield from self._features(fakes)
        self.neighbours.begin((features - self._middle) / self._unit)
        yield from self.sizes.each("neighbours", self.count, self.neighbours.look)
        small = yield from self._smalls(fakes)
        nearest = yield from self._nearest_ratio(small)
        return {"patches": sum(levels) / len(levels), "coverage": self.neighbours.density_coverage()[1],
                "diversity": feature_free.diversity(self._small_real, small), "nearest": nearest}


class ModesSuite(Suite):
    """Points whose modes are known: modes, good, mode_kl by the literature's protocol, 2,500 points."""

    headline = "mode_kl"

    def __init__(self, points: Tensor, centres: Tensor, sigma: float) -> None:
        super().__init__(2500)
        self.points, self.centres, self.sigma = points, torch.as_tensor(centres), sigma

    def prepare(self) -> Slices:
        yield from ()

    def others(self) -> Tensor:
        return self.points[torch.randint(len(self.points), (self.count,), generator=_fixed()).to(self.points.device)]

    def compare(self, fakes: Tensor) -> Iterator[None]:
        from .modes import assess_modes

        yield
        return dict(assess_modes(fakes.cpu(), self.centres, self.sigma))

    def rank(self, values: Values) -> tuple[float, ...]:
        """A mode that is missing counts before anything else."""
        return len(self.centres) - values["modes"], values["mode_kl"]


class PointCloudSuite(Suite):
    """Other points: swd (sliced Wasserstein distance, in standard deviations) and coverage."""

    headline = "swd"

    def __init__(self, points: Tensor) -> None:
        super().__init__(min(COUNT, len(points) // 2))
        order = torch.randperm(len(points), generator=_fixed()).to(points.device)
        self._unit = float(points.std())
        self.real, self._others = (points[part] for part in (order[:self.count], order[self.count:2 * self.count]))
        self._directions = F.normalize(torch.randn(points.shape[1], 64, generator=_fixed()), dim=0)

    def prepare(self) -> Slices:
        self.neighbours = measures.Neighbours(self.real.cpu())
        yield from self.sizes.each("neighbours", self.count, self.neighbours.learn)

    def others(self) -> Tensor:
        return self._others

    def compare(self, fakes: Tensor) -> Iterator[None]:
        fakes = fakes.cpu()
        swd = feature_free.sliced_wasserstein(self.real.cpu() / self._unit, fakes / self._unit, self._directions)
        yield
        self.neighbours.begin(fakes)
        yield from self.sizes.each("neighbours", self.count, self.neighbours.look)
        return {"swd": swd, "coverage": self.neighbours.density_coverage()[1]}


def _small(images: Tensor) -> Tensor:
    return feature_free.small(images).cpu()


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)
