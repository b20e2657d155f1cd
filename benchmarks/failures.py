"""Whether the presets made to fail do so as announced: python -m benchmarks.failures

Each trains with ten seeds on one thread and is observed on the way; its announcement is a criterion on these observations. To add
one, write the observation and the criterion, and enter them in FAILURES.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from gan_core.config import PRESETS
from gan_core.data.points import CENTRES
from gan_core.training.trainer import Trainer

CROWD = 0.05  # share of the fakes from which a mode counts as occupied
TURNS, AT_ONCE = 8, 4
FEW = 10  # modes


@dataclass(frozen=True)
class Failure:
    """`observe` is called every `every` steps up to `steps`; `failed` decides from all observations."""

    announced: str
    steps: int
    every: int
    observe: Callable[[Trainer], Any]
    failed: Callable[[list[Any]], bool]


def gathered(trainer: Trainer) -> tuple[float, int]:
    """(share of 1,000 fakes nearer to a mode than 0.4 of the way to the next mode, the fewest modes that have 90% of them)."""
    centres = torch.as_tensor(CENTRES[trainer.config.dataset]).float()
    reach = 0.4 * float(torch.pdist(centres).min())
    distance, nearest = torch.cdist(trainer.sample(1000), centres).min(dim=1)
    counts = torch.bincount(nearest[distance < reach], minlength=len(centres)).sort(descending=True).values
    return float(counts.sum()) / 1000, int((counts.cumsum(0) < 0.9 * counts.sum()).sum()) + 1


def dominant_mode(trainer: Trainer) -> tuple[int, int]:
    """(index of the mode nearest to most of 500 fakes, number of modes nearest to at least 5% of them)."""
    centres = torch.as_tensor(CENTRES[trainer.config.dataset]).float()
    nearest = torch.cdist(trainer.sample(500), centres).argmin(dim=1)
    shares = torch.bincount(nearest, minlength=len(centres)) / 500
    return int(shares.argmax()), int((shares >= CROWD).sum())


def rotates(observations: list[tuple[int, int]]) -> bool:
    """The dominant mode changed at least TURNS times, and most observations found at most AT_ONCE modes occupied."""
    turns = sum(now[0] != before[0] for before, now in pairwise(observations))
    few = sum(count <= AT_ONCE for _, count in observations)
    return turns >= TURNS and few > len(observations) / 2


def accuracy_and_gradient(trainer: Trainer) -> tuple[float, float]:
    """(share of 1,000 pairs of a real and a fake that D orders correctly, norm of the generator's last gradient)."""
    with torch.no_grad():
        real, fake = (trainer.D(trainer.batches.encode(x)) for x in (trainer.images[::5][:1000], trainer.sample(1000)))
    gradient = torch.stack([p.grad.square().sum() for p in trainer.G.parameters()]).sum().sqrt()
    return float((real > fake).float().mean()), float(gradient)


FAILURES: dict[str, Failure] = {
    "expert-too-strong": Failure("after 200 steps the discriminator tells 98% of pairs apart and less than 1% is left of the "
                                 "generator's gradient at step 20", 200, 20, accuracy_and_gradient,
                                 lambda seen: seen[-1][0] > 0.98 and seen[-1][1] < 0.01 * seen[0][1]),
    "mode-collapse": Failure(f"after 1,000 steps 90% of the fakes are near a mode, and 90% of these at {FEW} of the 25 or fewer",
                             1000, 1000, gathered, lambda seen: seen[-1][0] >= 0.9 and seen[-1][1] <= FEW),
    "merry-go-round": Failure(f"in 1,000 steps, looked at every 50, the mode with most fakes changes at least {TURNS} times, and "
                              f"mostly they are at {AT_ONCE} of 8 modes or fewer", 1000, 50, dominant_mode, rotates),
}


def run(name: str, seed: int) -> list[Any]:
    """The observations of this preset with this seed, in order."""
    failure, trainer = FAILURES[name], Trainer(PRESETS[name].replace(seed=seed, threads=1))
    observations = []
    for step in range(1, failure.steps + 1):
        trainer.step()
        if step % failure.every == 0:
            observations.append(failure.observe(trainer))
    return observations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", choices=tuple(FAILURES), default=list(FAILURES))
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| preset | announced | fails | seconds each |\n|---|---|---|---|")
    for name in args.presets:
        begin = time.perf_counter()
        fails = sum(FAILURES[name].failed(run(name, seed)) for seed in range(args.seeds))
        took = (time.perf_counter() - begin) / args.seeds
        print(f"| {name} | {FAILURES[name].announced} | {fails}/{args.seeds} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main()
