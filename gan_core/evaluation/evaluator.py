"""How good the generator is, measured while it trains: the averaged generator of one step, frozen, in slices of milliseconds.

It trains nothing and writes nothing; `best` decides when a slice is due and what becomes of the result. It never touches
what training draws or keeps: the losses are the same bits with and without it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from ..losses.randomness import Draws
from ..training.trainer import Trainer, play
from .classifier import Classifier, accuracy, load_classifier
from .suites import ClassifierSuite, FeatureFreeSuite, ModesSuite, PointCloudSuite, Suite, Values

FEWEST = 20  # real pictures or points, below which nothing is measured
ENOUGH = 500  # labelled pictures for the judge's measures: a fifth is the reference, and 64 features want more than a few rows
FITS = 0.9  # of some reals that a yardstick must know: labels read rightly by the judge, points within their modes


@dataclass(frozen=True)
class Measurement:
    """What was found about the generator of one step. `rank`: smaller is better."""

    step: int
    images: int
    quality: Values
    rank: tuple[float, ...]
    histogram: list[float] = field(default_factory=list)  # share of each class, where a judge reads them


class Evaluator:
    """Measures `trainer.G_ema` by what suits the data; `turn` does one slice of about 20 ms, `measure` a whole measurement.

    500 digits or more, and whatever else the shipped judge reads as it is labelled: the judge's measures. The reference are
    the judge's 1,000 held-out pictures and nothing else is done with them here; the generator is trained on them as on all
    5,000. Points on the ring or the grid: modes. Other pictures: measures without features, against 1,000 of them. Other
    points likewise.
    A judge of your own, which must read (C, H, W) of the data: `Gauge(trainer, judge)`.

    The z of measurement n is the draw ("measuring", n, seed), so two runs of one seed are asked the same; n begins at 0 in
    each Gauge. `floor` says what real against real of the same sizes gets; it is measured right after the first generator.
    """

    def __init__(self, trainer: Trainer, classifier: Classifier | None = None, floor: Values | None = None,
                 on_freeze: Callable[[], None] = lambda: None) -> None:
        self.trainer, self.floor, self.on_freeze = trainer, floor, on_freeze
        self._judge, self._draws, self._index = classifier, Draws(trainer.config.seed), 0
        self._frozen: torch.nn.Module | None = None
        self._device = trainer.images.device
        self._story = self._forever()
        self.suite: Suite | None = None

    # Slices.

    def turn(self) -> Measurement | None:
        """One slice of the work; a Measurement when one is complete. None for ever where there are too few reals."""
        return next(self._story)

    def measure(self) -> Measurement:
        """The generator as it is now, all at once: about half a second for digits. Raises ValueError for too few reals."""
        if len(self.trainer.images) < FEWEST:
            raise ValueError(f"there are {len(self.trainer.images)} real ones; measuring needs at least {FEWEST}.")
        self.forget()
        while True:
            found = self.turn()
            if found is not None:
                while self.floor is None:
                    self.turn()
                return found

    def forget(self) -> None:
        """Drop the measurement under way; what was prepared is kept."""
        self._story = self._forever()

    def _forever(self) -> Iterator[Measurement | None]:
        while len(self.trainer.images) < FEWEST:
            yield None
        if self.suite is None:
            self.suite = suite_for(self.trainer, self._judge)
            self._prepared = False
            yield None
        suite = self.suite
        if not self._prepared:
            yield from suite.prepare()
            self._prepared = True
        while True:
            self._freeze()
            step, images = self.trainer.step_count, self.trainer.images_seen
            yield None
            fakes = yield from self._fakes(suite.count)
            values = rounded((yield from suite.compare(fakes)))
            self._index += 1
            if all(map(math.isfinite, values.values())):
                yield Measurement(step, images, values, suite.rank(values), list(getattr(suite, "histogram", [])))
            if self.floor is None:  # not before: somebody waits for the first measurement
                floor = rounded((yield from suite.compare(suite.others())))
                # The others are training pictures, each its own nearest one; without it the ratio is 1 by definition.
                self.floor = floor | ({"nearest": 1.0} if "nearest" in floor else {})
                yield None

    # The generator of one step.

    @torch.no_grad()
    def _freeze(self) -> None:
        """A copy of the averaged generator: training goes on, the copy stays."""
        source = self.trainer.G_ema
        if self._frozen is None:
            self._frozen = copy.deepcopy(source).float().eval().requires_grad_(False)
        else:
            for kept, now in zip(self._frozen.state_dict().values(), source.state_dict().values(), strict=True):
                kept.copy_(now)
        self.on_freeze()

    def _fakes(self, count: int) -> Iterator[None]:
        """-> what `trainer.sample` would give for this measurement's z, by the frozen copy."""
        trainer = self.trainer
        z = self._draws.normal("measuring", self._index, count, trainer.config.latent_dim)
        labels = torch.arange(count) % trainer.classes if trainer.classes else None
        made: list[torch.Tensor] = []

        @torch.no_grad()
        def some(start: int, stop: int) -> None:
            with trainer.choices.autocast():
                classes = None if labels is None else labels[start:stop].to(self._device)
                fakes = play(self._frozen, z[start:stop].to(self._device), classes)
            made.append(trainer.batches.decode(fakes))

        yield from self.suite.sizes.each("fakes", count, some)
        return torch.cat(made)


def suite_for(trainer: Trainer, classifier: Classifier | None = None) -> Suite:
    """The measures that suit this trainer's data; a yardstick is taken only where some of the reals fit it."""
    images, labels = trainer.images, trainer.labels
    if trainer.points:
        from ..data import points as known_points

        centres, sigma = known_points.CENTRES.get(trainer.config.dataset), known_points.SIGMA.get(trainer.config.dataset)
        if centres is not None:
            some = ModesSuite(images, torch.as_tensor(centres), sigma)
            far = torch.cdist(some.others().double().cpu(), some.centres.double()).min(1).values > 3 * sigma
            if float(far.double().mean()) < 1 - FITS:
                return some
        return PointCloudSuite(images)
    if labels is not None and len(images) >= ENOUGH:
        classifier = classifier or (load_classifier() if trainer.shape == (1, 28, 28) else None)
        picks = torch.linspace(0, len(images) - 1, min(100, len(images))).round().long()
        if classifier is not None and accuracy(classifier, images[picks.to(images.device)].cpu(), labels[picks].cpu()) >= FITS:
            return ClassifierSuite(images, labels, classifier)
    return FeatureFreeSuite(images)


def rounded(values: Values) -> Values:
    """Six digits say more than a thousand pictures can."""
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in values.items()}


Gauge = Evaluator  # the public name before: notebooks use it
