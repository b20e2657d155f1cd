"""Suites of measures, one for each kind of data: pictures that a classifier reads, known modes, or anything else.

A suite works in slices: `prepare` and `compare` are generators that yield after about `SLICE` seconds of work, so that training
can go on between two slices. Nothing here depends on a trainer.
All draws of reals come from one fixed seed, so that the values of all runs on the same data can be compared.

Shapes: N pictures or points of the data; n = `count` on each side of a comparison; (C, H, W) one picture; d features; K classes.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from . import feature_free, measures
from .classifier import Classifier, class_histogram, stratified_split
from .modes import NUM_SAMPLES, assess_modes
from .readability import NearestLabels, coarse

SLICE = 0.02  # seconds, the aim for one slice
COUNT = 1000  # pictures a side, as in the literature's precision and coverage at small scale
MAX_TRAINING_PICTURES = 10_000  # searched for copies; of a larger set a fixed sample, so copies of the rest go unnoticed
MAX_READER_PICTURES = 5000  # among which the second reader of "readable" looks for the nearest ones
READER_PICTURES_A_CLASS = 20  # fewer say little about a class
CLASS_FOUND = 0.2  # a class counts as found when it has at least this part of a fair share

T = TypeVar("T")
Slices = Generator[None, None, T]  # yields after each slice and returns a T
Values = dict[str, float]


class TimeSlicer:
    """Splits work on rows into slices of about `SLICE` seconds; the time of the last slices of a job sets the next size."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}  # job: rows a slice

    def run(self, job: str, total: int, work: Callable[[int, int], T]) -> Slices[list[T]]:
        """Calls work(start, stop) on all rows below `total`, a slice at a time; returns the list of its results."""
        results: list[T] = []
        start = 0
        while start < total:
            size = self._sizes.get(job, 16)
            stop, began = min(total, start + size), time.thread_time()
            results.append(work(start, stop))
            # Processor time: by the clock, slices beside a busy process would shrink to single pictures, at five times the cost.
            seconds = max(time.thread_time() - began, 1e-6)
            # At most doubled, so that one fast slice does not promise too much.
            self._sizes[job] = max(1, int(min(2.0, SLICE / seconds) * (stop - start)))
            start = stop
            yield
        return results


class Suite(ABC):
    """Measures that compare `count` fakes with as many reals.

    `headline` names the measure that ranks generators; lower is better. `histogram` is the share of each class (K,) in the fakes
    last compared, empty where no classifier reads them.
    """

    headline = ""

    def __init__(self, count: int) -> None:
        self.count, self.slicer = count, TimeSlicer()
        self.histogram: list[float] = []

    @abstractmethod
    def prepare(self) -> Slices[None]:
        """Work on the reals that is done once, before the first `compare`."""

    @abstractmethod
    def compare(self, fakes: Tensor) -> Slices[Values]:
        """{measure: value} of fakes (n, ...), in the type and range of the data."""

    @abstractmethod
    def other_reals(self) -> Tensor:
        """Reals (n, ...) outside the reference; compared in place of fakes they give the floor."""

    def rank(self, values: Values) -> tuple[float, ...]:
        """What orders generators by the values of `compare`: smaller is better."""
        return (values[self.headline],)


class _PictureSuite(Suite):
    """Two sides of reals, `self.real` (n, C, H, W) the reference, and the training pictures that fakes may have copied.

    images: uint8 (N, C, H, W), all that the generator is trained on. reference, rest: row numbers of the two sides.
    """

    def __init__(self, images: Tensor, reference: Tensor, rest: Tensor) -> None:
        super().__init__(min(len(reference), len(rest), COUNT))
        self.images, self.real = images, images[reference[:self.count].to(images.device)]
        self._other_rows = rest[torch.randperm(len(rest), generator=_fixed_generator())[:self.count]]
        order = torch.randperm(len(images), generator=_fixed_generator())[:MAX_TRAINING_PICTURES]
        self._training_rows = order.sort().values.to(images.device)

    def other_reals(self) -> Tensor:
        return self.images[self._other_rows.to(self.images.device)]

    def _prepare_nearest(self) -> Slices[None]:
        rows = self._training_rows
        parts = yield from self.slicer.run("small", len(rows), lambda a, b: _thumbnails(self.images[rows[a:b]]))
        self._nearest = feature_free.NearestPicture(torch.cat(parts), COUNT)
        yield
        yield from self.slicer.run("nearest", min(COUNT, len(rows)), self._nearest.fit)

    def _nearest_ratio(self, thumbnails: Tensor) -> Slices[float]:
        """Of thumbnails (n, d)."""
        parts = yield from self.slicer.run("nearest", len(thumbnails), lambda a, b: self._nearest.nearest(thumbnails[a:b]))
        return self._nearest.ratio(torch.cat(parts))

    def _thumbnails(self, images: Tensor) -> Slices[Tensor]:
        """(n, C, H, W) -> (n, d)."""
        parts = yield from self.slicer.run("small", len(images), lambda a, b: _thumbnails(images[a:b]))
        return torch.cat(parts)


class ClassifierSuite(_PictureSuite):
    """Labelled pictures that a classifier reads.

    Measures: fd, kid, precision, recall, density, coverage, classes, class_kl, nearest, readable.

    The reference is the classifier's held-out part (`stratified_split`), where its features are honest; for the floor it is
    compared with pictures that the classifier was fitted on. The generator is trained on both parts. "readable" needs further
    pictures, on neither side, and is left out where there are too few of them.
    """

    headline = "fd"

    def __init__(self, images: Tensor, labels: Tensor, classifier: Classifier) -> None:
        fitted, held_out = stratified_split(labels.cpu(), min(COUNT, len(labels) // 5))
        # Shuffled, because the split is ordered by class: a shorter reference must be as even.
        super().__init__(images, held_out[torch.randperm(len(held_out), generator=_fixed_generator())], fitted)
        self.classifier = classifier.to(images.device)
        others = fitted[~torch.isin(fitted, self._other_rows)]
        self._reader_rows = others[torch.randperm(len(others), generator=_fixed_generator())[:MAX_READER_PICTURES]]
        self._reader_labels = labels.cpu()[self._reader_rows]
        self._reader: NearestLabels | None = None

    def prepare(self) -> Slices[None]:
        features, _ = yield from self._read(self.real)
        self.neighbours = measures.Neighbours(features)
        yield from self.slicer.run("neighbours", len(features), self.neighbours.fit)
        yield from self._prepare_nearest()
        if len(self._reader_rows) >= READER_PICTURES_A_CLASS * len(self._reader_labels.unique()):
            rows = self._reader_rows.to(self.images.device)
            parts = yield from self.slicer.run("coarse", len(rows), lambda a, b: coarse(self.images[rows[a:b]]).cpu())
            self._reader = NearestLabels(torch.cat(parts), self._reader_labels)

    def _read(self, images: Tensor) -> Slices[tuple[Tensor, Tensor]]:
        """(n, C, H, W) -> features (n, d) and probabilities (n, K), on the CPU."""
        parts = yield from self.slicer.run(
            "judge", len(images), lambda a, b: self.classifier.features_and_probabilities(images[a:b]))
        features, probabilities = zip(*parts, strict=True)
        return torch.cat(features).cpu(), torch.cat(probabilities).cpu()

    def compare(self, fakes: Tensor) -> Slices[Values]:
        features, probabilities = yield from self._read(fakes)
        real = self.neighbours.real  # (n, d)
        values = {"fd": measures.frechet_distance(real, features)}
        yield
        values["kid"] = measures.kernel_distance(real, features)
        yield
        self.neighbours.begin(features)
        yield from self.slicer.run("neighbours", len(features), self.neighbours.count_fakes)
        values["precision"], values["recall"] = self.neighbours.precision_recall()
        values["density"], values["coverage"] = self.neighbours.density_coverage()
        shares = class_histogram(probabilities)  # (K,)
        values["classes"] = int((shares >= CLASS_FOUND / len(shares)).sum())
        values["class_kl"] = measures.class_divergence(shares)
        self.histogram = [round(share, 4) for share in shares.tolist()]
        thumbnails = yield from self._thumbnails(fakes)
        values["nearest"] = yield from self._nearest_ratio(thumbnails)
        if (reader := self._reader) is not None:
            read = probabilities.argmax(1)  # (n,)
            agreed = yield from self.slicer.run("readable", len(fakes),
                                                lambda a, b: reader.agree(coarse(fakes[a:b]).cpu(), read[a:b]))
            values["readable"] = float(torch.cat(agreed).double().mean())
        return values


class FeatureFreeSuite(_PictureSuite):
    """Pictures of any kind: patches (SlicedPatches), coverage, diversity, nearest, see `feature_free`; the reference is 1,000."""

    headline = "patches"

    def __init__(self, images: Tensor) -> None:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
        half = len(images) // 2
        super().__init__(images, order[:half], order[half:])
        shape = tuple(images.shape[1:])
        self.patches = feature_free.SlicedPatches(self.count, shape)
        self.network = feature_free.random_features(shape).to(images.device)

    def prepare(self) -> Slices[None]:
        self.patches.begin("real")
        yield from self.slicer.run("patches", self.count, lambda a, b: self.patches.add(self.real[a:b]))
        for level in range(self.patches.levels):
            self.patches.fit(level)
            yield
        features = yield from self._features(self.real)
        self._mean, self._scale = features.mean(0), features.std(0).mean()  # (d,), ()
        self.neighbours = measures.Neighbours((features - self._mean) / self._scale)
        yield from self.slicer.run("neighbours", self.count, self.neighbours.fit)
        yield from self._prepare_nearest()
        self._real_thumbnails = yield from self._thumbnails(self.real)

    def _features(self, images: Tensor) -> Slices[Tensor]:
        """(n, C, H, W) -> random features (n, d), on the CPU."""
        parts = yield from self.slicer.run(
            "random", len(images), lambda a, b: self.network(feature_free.to_unit_range(images[a:b])).cpu())
        return torch.cat(parts)

    def compare(self, fakes: Tensor) -> Slices[Values]:
        self.patches.begin()
        yield from self.slicer.run("patches", self.count, lambda a, b: self.patches.add(fakes[a:b]))
        distances = []
        for level in range(self.patches.levels):
            distances.append(self.patches.distance(level))
            yield
        features = yield from self._features(fakes)
        self.neighbours.begin((features - self._mean) / self._scale)
        yield from self.slicer.run("neighbours", self.count, self.neighbours.count_fakes)
        thumbnails = yield from self._thumbnails(fakes)
        nearest = yield from self._nearest_ratio(thumbnails)
        return {"patches": sum(distances) / len(distances), "coverage": self.neighbours.density_coverage()[1],
                "diversity": feature_free.diversity(self._real_thumbnails, thumbnails), "nearest": nearest}


class ModesSuite(Suite):
    """Points (N, 2) whose modes are known: modes, good, mode_kl by the literature's protocol, of 2,500 points."""

    headline = "mode_kl"

    def __init__(self, points: Tensor, centres: Tensor, sigma: float) -> None:
        super().__init__(NUM_SAMPLES)
        self.points, self.centres, self.sigma = points, torch.as_tensor(centres), sigma

    def prepare(self) -> Slices[None]:
        yield from ()

    def other_reals(self) -> Tensor:
        return self.points[torch.randint(len(self.points), (self.count,), generator=_fixed_generator()).to(self.points.device)]

    def compare(self, fakes: Tensor) -> Slices[Values]:
        yield
        return assess_modes(fakes.cpu(), self.centres, self.sigma)

    def rank(self, values: Values) -> tuple[float, ...]:
        """Missing modes count first, then the divergence."""
        return len(self.centres) - values["modes"], values["mode_kl"]


class PointCloudSuite(Suite):
    """Other points (N, 2): swd (sliced Wasserstein distance, in standard deviations) and coverage."""

    headline = "swd"

    def __init__(self, points: Tensor) -> None:
        super().__init__(min(COUNT, len(points) // 2))
        order = torch.randperm(len(points), generator=_fixed_generator()).to(points.device)
        self._scale = float(points.std())
        self.real, self._other_points = points[order[:self.count]], points[order[self.count:2 * self.count]]
        self._directions = F.normalize(torch.randn(points.shape[1], 64, generator=_fixed_generator()), dim=0)

    def prepare(self) -> Slices[None]:
        self.neighbours = measures.Neighbours(self.real.cpu())
        yield from self.slicer.run("neighbours", self.count, self.neighbours.fit)

    def other_reals(self) -> Tensor:
        return self._other_points

    def compare(self, fakes: Tensor) -> Slices[Values]:
        fakes = fakes.cpu()
        swd = feature_free.sliced_wasserstein(self.real.cpu() / self._scale, fakes / self._scale, self._directions)
        yield
        self.neighbours.begin(fakes)
        yield from self.slicer.run("neighbours", self.count, self.neighbours.count_fakes)
        return {"swd": swd, "coverage": self.neighbours.density_coverage()[1]}


def _thumbnails(images: Tensor) -> Tensor:
    return feature_free.thumbnails(images).cpu()


def _fixed_generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
