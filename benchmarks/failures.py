"""Do the presets that are made to fail really fail, and as announced? python -m benchmarks.failures

Each is trained with ten seeds on one thread and looked at along the way; the sentence of the announcement is counted, not judged.
To add one, write what is looked at and when that is the failure, and enter it in FAILURES.
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
from gan_core.data.points import CENTRES, SIGMA
from gan_core.evaluation.modes import NUM_SAMPLES, assess_modes
from gan_core.training.trainer import Trainer

CROWD = 0.05  # share of the fakes that makes a mode count as one they are at
TURNS, AT_ONCE = 8, 4


@dataclass(frozen=True)
class Failure:
    """`look` at the trainer every `every` steps up to `steps`; `failed` says of all that was seen whether it failed so."""

    announced: str
    steps: int
    every: int
    look: Callable[[Trainer], Any]
    failed: Callable[[list[Any]], bool]


def modes_found(trainer: Trainer) -> int:
    """By the literature's protocol, of 2,500 samples."""
    name = trainer.config.dataset
    return int(assess_modes(trainer.sample(NUM_SAMPLES), CENTRES[name], SIGMA[name])["modes"])


def crowds(trainer: Trainer) -> tuple[int, int]:
    """(the mode that most of 500 fakes are nearest to, how many modes at least 5% of them are nearest to)."""
    centres = torch.as_tensor(CENTRES[trainer.config.dataset]).float()
    nearest = torch.cdist(trainer.sample(500), centres).argmin(dim=1)
    shares = torch.bincount(nearest, minlength=len(centres)) / 500
    return int(shares.argmax()), int((shares >= CROWD).sum())


def turned(seen: list[tuple[int, int]]) -> bool:
    """The dominant mode was another one at TURNS looks at least, and most looks found fakes at no more than AT_ONCE modes."""
    turns = sum(now[0] != before[0] for before, now in pairwise(seen))
    few = sum(count <= AT_ONCE for _, count in seen)
    return turns >= TURNS and few > len(seen) / 2


def sure_and_silent(trainer: Trainer) -> tuple[float, float]:
    """(share of 1,000 pairs of a real and a fake that the discriminator tells apart, norm of the generator's last gradient)."""
    with torch.no_grad():
        real, fake = (trainer.D(trainer.batches.encode(x)) for x in (trainer.images[::5][:1000], trainer.sample(1000)))
    gradient = torch.stack([p.grad.square().sum() for p in trainer.G.parameters()]).sum().sqrt()
    return float((real > fake).float().mean()), float(gradient)


FAILURES: dict[str, Failure] = {
    "expert-too-strong": Failure("after 200 steps the discriminator tells 98% of pairs apart and less than 1% is left of the "
                                 "generator's gradient at step 20", 200, 20, sure_and_silent,
                                 lambda seen: seen[-1][0] > 0.98 and seen[-1][1] < 0.01 * seen[0][1]),
    "mode-collapse": Failure("after 1,000 steps at most half of the 25 modes are found", 1000, 1000, modes_found,
                             lambda seen: seen[-1] <= 12),
    "merry-go-round": Failure(f"in 1,000 steps, looked at every 50, the mode with most fakes changes at least {TURNS} times, and "
                              f"mostly they are at {AT_ONCE} of 8 modes or fewer", 1000, 50, crowds, turned),
}


def run(name: str, seed: int) -> list[Any]:
    """What was seen of this preset with this seed, in order."""
    failure, trainer = FAILURES[name], Trainer(PRESETS[name].replace(seed=seed, threads=1))
    seen = []
    for step in range(1, failure.steps + 1):
        trainer.step()
        if step % failure.every == 0:
            seen.append(failure.look(trainer))
    return seen


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
