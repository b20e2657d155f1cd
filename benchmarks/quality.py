"""How good the digits are after so many seconds, a preset against the course's recipe: python -m benchmarks.quality

Both train on the same 5,000 digits in one process and on the same threads, in turns of a second, until each has had its
seconds; then 1,000 pictures of each averaged generator are measured as the page does it, against 1,000 digits that the judge
was not fitted on. With --steps the preset makes so many steps, and the course's recipe gets as long as they took. FD is in the
judge's features; its floor is that of 1,000 other real digits.
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
    """What was found in one set of generated digits; `classes` of ten; `agreement`: the share that both readers read alike."""

    fd: float
    coverage: float
    classes: int
    agreement: float


class QualityMeter:
    """The digits, the judge's view of them, and the floor under every Frechet distance; made once."""

    def __init__(self) -> None:
        self.images, self.labels = (torch.from_numpy(part) for part in load())
        self.classifier = load_classifier()
        self.readers = ReadabilityScorer(self.classifier, self.images, self.labels)
        self.suite = ClassifierSuite(self.images, self.labels, self.classifier)
        run_to_end(self.suite.prepare())
        self.real = self.suite.neighbours.real  # features (1000, 64)
        self.floor = run_to_end(self.suite.compare(self.suite.other_reals()))["fd"]

    def measure(self, fake: torch.Tensor) -> Quality:
        """Of generated digits (1000, 1, 28, 28) uint8."""
        values = run_to_end(self.suite.compare(fake))
        return Quality(values["fd"], values["coverage"], values["classes"], self.readers.assess(fake).agreement)

    def class_accuracy(self, fake: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(10,) for each class the share of its pictures that the judge reads as it; labels (N,) are what was asked for."""
        right = (self.classifier.probabilities(fake).argmax(1) == labels).double()
        return torch.stack([right[labels == digit].mean() for digit in range(10)])


def run_to_end(slices: Generator[None, None, Any]) -> Any:
    """What a measurement in slices comes to, without a pause."""
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return end.value


def train_for(trainer: Trainer, seconds: float, steps: int) -> float:
    """Train for so many seconds, or up to step number `steps` where that is not 0; the seconds it took."""
    start = time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds and not (steps and trainer.step_count >= steps):
        trainer.step()
    return taken


def compare(ruler: QualityMeter, names: list[str], seed: int, threads: int, seconds: float,
            steps: int) -> list[tuple[Trainer, float]]:
    """(trainer, its seconds) of each preset; the first one's steps count, where steps are given, and all get its seconds."""
    torch.set_num_threads(threads)
    contestants = [Trainer(PRESETS[name].replace(seed=seed, threads=threads), ruler.images, ruler.labels) for name in names]
    spent = [0.0] * len(contestants)
    first = contestants[0]
    while spent[0] < seconds and not (steps and first.step_count >= steps):
        spent[0] += train_for(first, min(TURN, seconds - spent[0]), steps)
        for k in range(1, len(contestants)):
            spent[k] += train_for(contestants[k], spent[0] - spent[k], 0)
    return list(zip(contestants, spent, strict=True))


def arguments(doc: str, seconds: float, seeds: list[int]) -> argparse.ArgumentParser:
    """What the benchmarks of quality have in common."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="steady", choices=[name for name in PRESETS if PRESETS[name].dataset == "digits"])
    parser.add_argument("--seconds", type=float, default=seconds, help="of training, for each recipe")
    parser.add_argument("--steps", type=int, default=0, help="steps of the preset, in place of seconds")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--threads", type=int, default=1, help="one is faster than two beside anything else that works")
    return parser


def main() -> None:
    parser = arguments(__doc__, 120, [0, 1, 2, 3, 4])
    parser.add_argument("--alone", action="store_true", help="without the course's recipe")
    args = parser.parse_args()
    ruler, names = QualityMeter(), [args.preset] + ([] if args.alone else ["course"])
    seconds = float("inf") if args.steps else args.seconds
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {args.threads} thread(s); "
          f"real against real: FD {ruler.floor:.4f}\n")
    print("| preset | seed | seconds | steps | FD | FD / floor | coverage | classes | agreement |\n" + "|---" * 9 + "|")
    results: dict[str, list[Quality]] = {name: [] for name in names}
    for seed in args.seeds:
        for name, (trainer, spent) in zip(names, compare(ruler, names, seed, args.threads, seconds, args.steps), strict=True):
            found = ruler.measure(trainer.sample(COUNT))
            results[name].append(found)
            print(f"| {name} | {seed} | {spent:.0f} | {trainer.step_count:,} | {found.fd:.4f} | {found.fd / ruler.floor:.2f} "
                  f"| {found.coverage:.3f} | {found.classes} | {found.agreement:.2f} |", flush=True)
    print()
    for name in names:
        fd, coverage = (statistics.median(getattr(f, what) for f in results[name]) for what in ("fd", "coverage"))
        print(f"{name}, medians: FD {fd:.4f}, {fd / ruler.floor:.2f} x floor, coverage {coverage:.3f}, "
              f"fewest classes {min(f.classes for f in results[name])}")
    if not args.alone:
        shares = [a.fd / b.fd for a, b in zip(results[args.preset], results["course"], strict=True)]
        print(f"FD of {args.preset} as a share of the course recipe's: median {statistics.median(shares):.3f}, "
              f"worst {max(shares):.3f}; at most 0.2 is promised")


if __name__ == "__main__":
    main()
