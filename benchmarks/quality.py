"""Quality of the digits after equal training time, a preset against the course's recipe: python -m benchmarks.quality

Both train on the same 5,000 digits in one process and on the same threads, in turns of a second, until each has had its seconds.
Then 1,000 pictures of each averaged generator are measured as the page does it, against 1,000 digits that the classifier was not
fitted on. With --steps the preset trains that many steps, and the course's recipe as long as they took. FD is computed in the
classifier's features; its floor is that of 1,000 other real digits.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch

from gan_core.config import PRESETS
from gan_core.data.digits import load
from gan_core.evaluation.classifier import load_classifier
from gan_core.evaluation.readability import ReadabilityScorer
from gan_core.evaluation.suites import ClassifierSuite
from gan_core.training.trainer import Trainer

TURN = 1.0  # seconds
COUNT = 1000  # pictures on each side


@dataclass(frozen=True)
class Quality:
    """Quality of one set of generated digits; `classes` of ten; `agreement`: share on which both readers agree."""

    fd: float
    coverage: float
    classes: int
    agreement: float


class QualityMeter:
    """Measures generated digits against real ones. `floor`: the Frechet distance of real digits to others."""

    def __init__(self) -> None:
        self.images, self.labels = (torch.from_numpy(part) for part in load())
        self.classifier = load_classifier()
        self.readability = ReadabilityScorer(self.classifier, self.images, self.labels)
        self.suite = ClassifierSuite(self.images, self.labels, self.classifier)
        run_to_end(self.suite.prepare())
        self.real = self.suite.neighbours.real  # features (1000, 64)
        self.floor = run_to_end(self.suite.compare(self.suite.other_reals()))["fd"]

    def measure(self, fake: torch.Tensor) -> Quality:
        """The quality of generated digits (1000, 1, 28, 28) uint8."""
        values = run_to_end(self.suite.compare(fake))
        return Quality(values["fd"], values["coverage"], values["classes"], self.readability.assess(fake).agreement)

    def class_accuracy(self, fake: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(10,) for each class the share of its pictures that the classifier assigns to it; `labels` (N,): intended ones."""
        correct = (self.classifier.probabilities(fake).argmax(1) == labels).double()
        return torch.stack([correct[labels == digit].mean() for digit in range(10)])


def run_to_end(slices: Generator[None, None, Any]) -> Any:
    """The result of a measurement in slices, computed without a pause."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value


def train_for(trainer: Trainer, seconds: float, steps: int) -> float:
    """Trains for this many seconds, or until step number `steps` if that is not 0; returns the seconds taken."""
    start = time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds and not (steps and trainer.step_count >= steps):
        trainer.step()
    return taken


def compare(meter: QualityMeter, names: list[str], seed: int, threads: int, seconds: float,
            steps: int) -> list[tuple[Trainer, float]]:
    """(trainer, its seconds) of each preset. `steps` above 0 limits the first one; all others get as many seconds as it."""
    torch.set_num_threads(threads)
    contestants = [Trainer(PRESETS[name].replace(seed=seed, threads=threads), meter.images, meter.labels) for name in names]
    spent = [0.0] * len(contestants)
    first = contestants[0]
    while spent[0] < seconds and not (steps and first.step_count >= steps):
        spent[0] += train_for(first, min(TURN, seconds - spent[0]), steps)
        for k in range(1, len(contestants)):
            spent[k] += train_for(contestants[k], spent[0] - spent[k], 0)
    return list(zip(contestants, spent, strict=True))


def arguments(doc: str, seconds: float, seeds: list[int]) -> argparse.ArgumentParser:
    """The options that all benchmarks of quality share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="steady", choices=[name for name in PRESETS if PRESETS[name].dataset == "digits"])
    parser.add_argument("--seconds", type=float, default=seconds, help="of training, for each recipe")
    parser.add_argument("--steps", type=int, default=0, help="steps of the preset, in place of seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--threads", type=int, default=1, help="one is faster than two beside other work")
    return parser


def main() -> None:
    parser = arguments(__doc__, 120, [0, 1, 2, 3, 4])
    parser.add_argument("--alone", action="store_true", help="without the course's recipe")
    args = parser.parse_args()
    meter, names = QualityMeter(), [args.preset] + ([] if args.alone else ["course"])
    seconds = float("inf") if args.steps else args.seconds
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {args.threads} thread(s); "
          f"real against real: FD {meter.floor:.4f}\n")
    print("| preset | seed | seconds | steps | FD | FD / floor | coverage | classes | agreement |\n" + "|---" * 9 + "|")
    results: dict[str, list[Quality]] = {name: [] for name in names}
    for seed in args.seeds:
        for name, (trainer, spent) in zip(names, compare(meter, names, seed, args.threads, seconds, args.steps), strict=True):
            quality = meter.measure(trainer.sample(COUNT))
            results[name].append(quality)
            print(f"| {name} | {seed} | {spent:.0f} | {trainer.step_count:,} | {quality.fd:.4f} | {quality.fd / meter.floor:.2f} "
                  f"| {quality.coverage:.3f} | {quality.classes} | {quality.agreement:.2f} |", flush=True)
    print()
    for name in names:
        fd, coverage = (statistics.median(getattr(quality, field) for quality in results[name]) for field in ("fd", "coverage"))
        print(f"{name}, medians: FD {fd:.4f}, {fd / meter.floor:.2f} x floor, coverage {coverage:.3f}, "
              f"fewest classes {min(quality.classes for quality in results[name])}")
    if not args.alone:
        shares = [a.fd / b.fd for a, b in zip(results[args.preset], results["course"], strict=True)]
        print(f"FD of {args.preset} as a share of the course recipe's: median {statistics.median(shares):.3f}, "
              f"worst {max(shares):.3f}; at most 0.2 is promised")


if __name__ == "__main__":
    main()
