"""Measures the averaged generator of one step while training goes on, in slices of milliseconds.

It trains nothing and writes nothing: `worker.best_checkpoint` decides when a slice is due and stores the result. Measuring leaves
training's random draws and state alone: the losses are the same bits with and without it.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from ..data import points
from ..losses.randomness import Draws
from ..training.trainer import Trainer, forward
from .classifier import Classifier, accuracy, load_classifier
from .suites import ClassifierSuite, FeatureFreeSuite, ModesSuite, PointCloudSuite, Slices, Suite, Values

MIN_REALS = 20  # real pictures or points, below which nothing is measured
MIN_LABELLED = 500  # labelled pictures for a ClassifierSuite: a fifth is its reference, in 64 features
MIN_FIT = 0.9  # share of sampled reals that a suite must explain: labels read correctly, or points within their modes


@dataclass(frozen=True)
class Measurement:
    """The quality of the generator of one step. `rank` orders generators: smaller is better."""

    step: int
    images: int
    quality: Values
    rank: tuple[float, ...]
    histogram: list[float] = field(default_factory=list)  # share of each class, where a classifier reads the fakes


class Evaluator:
    """Measures `trainer.G_ema`: `advance` does one slice of about 20 ms, `measure` a whole measurement.

    The data choose the suite (`choose_suite`). Of digits the reference is the 1,000 that the classifier was not fitted on; the
    generator is trained on all 5,000, those included. A `classifier` for other pictures must read (C, H, W) of the data.

    The z of measurement n is the draw ("measuring", n, seed), n from 0 in each Evaluator, so two runs of one seed get the same z.
    `floor` holds the values of reals against reals, n a side as for fakes; it is measured right after the first generator.
    """

    def __init__(self, trainer: Trainer, classifier: Classifier | None = None, floor: Values | None = None,
                 on_freeze: Callable[[], None] = lambda: None) -> None:
        if not isinstance(trainer, Trainer):
            raise ValueError(f"trainer is a {type(trainer).__name__}; give a Trainer, whose generator is to be measured.")
        self.trainer, self.floor, self.on_freeze = trainer, floor, on_freeze
        self._classifier, self._draws, self._index = classifier, Draws(trainer.config.seed), 0
        self._frozen: torch.nn.Module | None = None
        self._device = trainer.images.device
        self._prepared = False
        self._slices = self._measurements()

    @functools.cached_property
    def suite(self) -> Suite:
        """The measures that suit the data, chosen on first use."""
        return choose_suite(self.trainer, self._classifier)

    @property
    def compared(self) -> int:
        """How many generators have been compared, those among them whose values were no numbers, of which nothing is told."""
        return self._index

    # Slices.

    def advance(self) -> Measurement | None:
        """Does one slice of the work; returns a Measurement when one is complete. Always None with fewer than MIN_REALS reals."""
        return next(self._slices)

    def measure(self) -> Measurement:
        """Measures the generator as it is now, without slices: about half a second for digits. ValueError for too few reals."""
        if len(self.trainer.images) < MIN_REALS:
            raise ValueError(f"the data set has {len(self.trainer.images)} items; measuring needs at least {MIN_REALS}.")
        self.cancel()
        measurement = None
        while measurement is None:
            measurement = self.advance()
        while self.floor is None:
            self.advance()
        return measurement

    def cancel(self) -> None:
        """Abandons the measurement in progress; a completed preparation of the suite is kept."""
        self._slices = self._measurements()

    def _measurements(self) -> Iterator[Measurement | None]:
        """Yields None after each slice and a Measurement at the end of each measurement, without end."""
        while len(self.trainer.images) < MIN_REALS:
            yield None
        suite = self.suite
        yield None
        if not self._prepared:
            yield from suite.prepare()
            self._prepared = True
        while True:
            G = self._freeze()
            step, images = self.trainer.step_count, self.trainer.images_seen
            yield None
            fakes = yield from self._fakes(G, suite.count)
            values = rounded((yield from suite.compare(fakes)))
            self._index += 1
            if all(map(math.isfinite, values.values())):
                yield Measurement(step, images, values, suite.rank(values), list(suite.histogram))
            if self.floor is None:  # after the first measurement, which the page waits for
                floor = rounded((yield from suite.compare(suite.other_reals())))
                # These reals are training pictures, each its own nearest one. Taken without itself, the ratio is 1 by definition.
                self.floor = floor | ({"nearest": 1.0} if "nearest" in floor else {})
                yield None

    # The generator of one step.

    @torch.no_grad()
    def _freeze(self) -> torch.nn.Module:
        """A copy of the averaged generator that stays the same while training goes on."""
        source = self.trainer.G_ema
        if self._frozen is None:
            self._frozen = copy.deepcopy(source).float().eval().requires_grad_(False)
        else:
            for target, value in zip(self._frozen.state_dict().values(), source.state_dict().values(), strict=True):
                target.copy_(value)
        self.on_freeze()
        return self._frozen

    def _fakes(self, G: torch.nn.Module, count: int) -> Slices[torch.Tensor]:
        """Fakes (count, ...) as `trainer.sample` would make them from this measurement's z, by the frozen copy G."""
        trainer = self.trainer
        z = self._draws.normal("measuring", self._index, count, trainer.config.latent_dim)
        labels = torch.arange(count) % trainer.classes if trainer.classes else None

        @torch.no_grad()
        def generate(start: int, stop: int) -> torch.Tensor:
            with trainer.choices.autocast():
                classes = None if labels is None else labels[start:stop].to(self._device)
                fakes = forward(G, z[start:stop].to(self._device), classes)
            return trainer.batches.decode(fakes)

        parts = yield from self.suite.slicer.run("fakes", count, generate)
        return torch.cat(parts)


def choose_suite(trainer: Trainer, classifier: Classifier | None = None) -> Suite:
    """The suite for this trainer's data.

    Points of a known mixture: ModesSuite; other points: PointCloudSuite. MIN_LABELLED or more labelled pictures that `classifier`
    (by default the bundled one) reads as they are labelled: ClassifierSuite; other pictures: FeatureFreeSuite.
    """
    images, labels, name = trainer.images, trainer.labels, trainer.config.dataset
    if trainer.points:
        if name in points.CENTRES:
            suite, sigma = ModesSuite(images, torch.as_tensor(points.CENTRES[name]), points.SIGMA[name]), points.SIGMA[name]
            far = torch.cdist(suite.other_reals().double().cpu(), suite.centres.double()).min(1).values > 3 * sigma
            if float(far.double().mean()) < 1 - MIN_FIT:
                return suite
        return PointCloudSuite(images)
    if labels is not None and len(images) >= MIN_LABELLED:
        classifier = classifier or (load_classifier() if trainer.shape == (1, 28, 28) else None)
        rows = torch.linspace(0, len(images) - 1, min(100, len(images))).round().long()
        if classifier is not None and accuracy(classifier, images[rows.to(images.device)].cpu(), labels[rows].cpu()) >= MIN_FIT:
            return ClassifierSuite(images, labels, classifier)
    return FeatureFreeSuite(images)


def rounded(values: Values) -> Values:
    """To six digits: a thousand pictures cannot support more."""
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in values.items()}


Gauge = Evaluator  # the former public name, which notebooks use
