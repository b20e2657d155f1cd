"""How the presets of points look on the way, not only at the end: python -m benchmarks.presets

Ring and grid train on one thread and are assessed every 100 steps by PacGAN's protocol (evaluation/modes.py), the averaged
generator, which is shown, and the raw one, with the same z each time. A relapse is what a later look finds worse than the bar.
The merry-go-round is looked at as often: it has to stay in view and to go on turning, for ten minutes of one core.

Each preset and its older values (BEFORE) alternate, seed by seed, so that other load on the machine affects both. Seconds are
processor time of training alone.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from gan_core.config import PRESETS, TrainConfig
from gan_core.data.points import CENTRES, SIGMA
from gan_core.evaluation.modes import NUM_SAMPLES, assess_modes
from gan_core.evaluation.plane import Axes
from gan_core.training.trainer import Metrics, Trainer

EVERY = 100  # steps from look to look
GOOD, KL = 0.9, 0.03  # the bar: at least this share of good points, a reverse KL below this, and all modes
STEPS = {"ring": 6_000, "grid": 9_000, "merry-go-round": 150_000}  # beyond what decays; ten minutes of one core
FAKES, TURNED = 500, 0.1  # fakes of a look at the merry-go-round; the share of the whole time that must still turn at its end
# What the presets were before they were looked at on the way.
_POINTS: dict[str, Any] = {"lr_d": 3e-3, "lr_g": 3e-3, "betas_d": (0.0, 0.99), "betas_g": (0.0, 0.99), "batch_size": 128,
                           "r1": 0.1, "r2": 0.1, "penalty_final": 0.01, "lr_final": 0.02, "ema_half_life": 500.0}
BEFORE: dict[str, dict[str, Any]] = {
    "ring": {**_POINTS, "decay_steps": 6_000}, "grid": {**_POINTS, "decay_steps": 9_000},
    "merry-go-round": {"networks": "mlp", "loss": "wasserstein", "batch_size": 64, "lr_d": 2e-3, "lr_g": 2e-3,
                       "betas_d": (0.9, 0.99), "betas_g": (0.9, 0.99), "r1": 0.01, "r2": 0.0, "spectral_norm": False,
                       "gradient_penalty": 0.0}}


@dataclass(frozen=True)
class Look:
    """Ring or grid after so many steps and seconds: modes, good and mode_kl of both generators."""

    step: int
    seconds: float
    averaged: dict[str, float]
    raw: dict[str, float]

    def at_bar(self, modes: int) -> bool:
        m = self.averaged
        return m["modes"] == modes and m["good"] >= GOOD and m["mode_kl"] < KL


@dataclass(frozen=True)
class Turn:
    """The merry-go-round at one look."""

    step: int
    seconds: float
    in_view: float  # share of the fakes
    moved: float  # share of the fakes whose nearest mode is not what it was at the look before
    angle: float  # of the mean of the fakes, seen from the middle of the ring
    loss: float  # the largest size of either player's loss since the look before


@dataclass(frozen=True)
class Way:
    """What was seen of a run on ring or grid. `first` is None for a run that never came to the bar."""

    first: Look | None
    good: float  # the lowest share of good points, and
    kl: float  # the highest reverse KL, of the looks from the first at the bar on; of all looks without one
    raw_good: float  # the same of the raw generator
    raw_kl: float
    last: Look


@dataclass(frozen=True)
class Ride:
    """What was seen of a merry-go-round."""

    in_view: float  # the lowest share of the fakes in view
    moved: float  # mean share of the fakes that changed their mode from look to look
    moved_at_end: float  # the same, of the last tenth
    turns: float  # the way of the mean of the fakes around the ring, in turns, to and fro both counted
    loss: float  # the largest
    seconds: float


def train(config: TrainConfig, steps: int, look: Callable[[Trainer, int, float, list[Metrics]], Any]) -> list[Any]:
    """What `look` sees every EVERY steps, given the steps and seconds of training and the records since the last look."""
    trainer, records, looks, seconds = Trainer(config.replace(threads=1)), [], [], 0.0
    begin = time.process_time()
    for step in range(1, steps + 1):
        records.append(trainer.step())
        if step % EVERY == 0:
            seconds += time.process_time() - begin
            looks.append(look(trainer, step, seconds, records))
            records = []
            begin = time.process_time()
    return looks


def look_at_modes(trainer: Trainer, step: int, seconds: float, records: list[Metrics]) -> Look:
    name = trainer.config.dataset
    averaged, raw = (assess_modes(points, CENTRES[name], SIGMA[name])
                     for points in (trainer.sample(NUM_SAMPLES), trainer.sample(NUM_SAMPLES, generator="now")))
    return Look(step, seconds, averaged, raw)


class Spectator:
    """Looks at a merry-go-round; it remembers at which mode each fake was."""

    def __init__(self) -> None:
        self.centres = torch.as_tensor(CENTRES["ring"]).float()
        self.nearest: torch.Tensor | None = None

    def __call__(self, trainer: Trainer, step: int, seconds: float, records: list[Metrics]) -> Turn:
        points = trainer.sample(FAKES)
        x0, x1, y0, y1 = Axes.around(trainer.images, torch.zeros(2), trainer.scale).view
        inside = (points >= torch.tensor([x0, y0])) & (points <= torch.tensor([x1, y1]))
        nearest = torch.cdist(points, self.centres).argmin(dim=1)
        before, self.nearest = self.nearest, nearest
        x, y = points.mean(dim=0).tolist()
        losses = torch.stack([record[key] for record in records for key in ("d_loss", "g_loss")])
        return Turn(step, seconds, float(inside.all(dim=1).float().mean()),
                    0.0 if before is None else float((nearest != before).float().mean()), math.atan2(y, x),
                    float(losses.abs().max()))


def way(looks: Sequence[Look], modes: int) -> Way:
    first = next((look for look in looks if look.at_bar(modes)), None)
    later = looks if first is None else [look for look in looks if look.step >= first.step]
    return Way(first, min(look.averaged["good"] for look in later), max(look.averaged["mode_kl"] for look in later),
               min(look.raw["good"] for look in later), max(look.raw["mode_kl"] for look in later), looks[-1])


def ride(looks: Sequence[Turn]) -> Ride:
    moved = [look.moved for look in looks[1:]]
    steps = [(b.angle - a.angle + math.pi) % (2 * math.pi) - math.pi for a, b in pairwise(looks)]
    return Ride(min(look.in_view for look in looks), statistics.mean(moved),
                statistics.mean(moved[-max(1, round(TURNED * len(moved))):]), sum(map(abs, steps)) / (2 * math.pi),
                max(look.loss for look in looks), looks[-1].seconds)


def points_way(config: TrainConfig, steps: int) -> Way:
    return way(train(config, steps, look_at_modes), len(CENTRES[config.dataset]))


def merry_ride(config: TrainConfig, steps: int) -> Ride:
    return ride(train(config, steps, Spectator()))


def write_way(contestant: str, seed: int, seen: Way) -> str:
    first = f"{seen.first.step:,} | {seen.first.seconds:.1f}" if seen.first else "never | -"
    end = seen.last.averaged
    return (f"| {contestant} | {seed} | {first} | {seen.good:.1%} | {seen.kl:.4f} | {seen.raw_good:.1%} | {seen.raw_kl:.4f} "
            f"| {end['modes']} | {end['good']:.1%} | {end['mode_kl']:.4f} |")


def write_ride(contestant: str, seed: int, seen: Ride) -> str:
    return (f"| {contestant} | {seed} | {seen.in_view:.0%} | {seen.moved:.0%} | {seen.moved_at_end:.0%} | {seen.turns:.0f} "
            f"| {seen.loss:,.1f} | {seen.seconds:.0f} |")


WAY_HEAD = ("| contestant | seed | at the bar, step | seconds | worst good after | worst KL | raw: good | KL "
            "| end: modes | good | KL |\n|" + "---|" * 11)
RIDE_HEAD = ("| contestant | seed | in view, worst | moved in 100 steps | in the last tenth | turns | largest loss | seconds |\n|"
             + "---|" * 8)


def sum_up_ways(ways: dict[str, list[Way]]) -> str:
    """Of each contestant: medians, runs that never fell below the bar again, and the ratio of times to the bar."""
    lines, seconds = [], {}
    for contestant, seen in ways.items():
        ends = [one.last.averaged for one in seen]
        arrived = [one.first for one in seen if one.first]
        kept = sum(one.first is not None and one.good >= GOOD and one.kl < KL for one in seen)
        seconds[contestant] = statistics.median(look.seconds for look in arrived) if arrived else math.inf
        lines.append(f"**{contestant}**: {len(arrived)}/{len(seen)} came to the bar, {kept}/{len(seen)} stayed there; at the bar "
                     f"after {seconds[contestant]:.1f} s; worst {min(one.good for one in seen):.1%} good, KL "
                     f"{max(one.kl for one in seen):.4f}; end {statistics.median(m['good'] for m in ends):.1%}, "
                     f"KL {statistics.median(m['mode_kl'] for m in ends):.4f}.")
    if len(seconds) == 2:
        before, now = seconds.values()
        lines.append(f"Time to the bar, now against before: {now / before:.2f}.")
    return "\n".join(lines)


def sum_up_rides(rides: dict[str, list[Ride]]) -> str:
    return "\n".join(f"**{contestant}**: worst view {min(one.in_view for one in seen):.0%}, least moved in the last tenth "
                     f"{min(one.moved_at_end for one in seen):.0%}, largest loss {max(one.loss for one in seen):,.1f}, "
                     f"{statistics.median(one.seconds for one in seen):.0f} s."
                     for contestant, seen in rides.items())


def compare(name: str, seeds: int, steps: int, old: bool, write: Callable[[str], None]) -> None:
    """Writes one table: each seed of the preset as it was and as it is, and what follows from all."""
    contestants = ({"before": PRESETS[name].replace(**BEFORE[name])} if old else {}) | {"now": PRESETS[name]}
    watch, row, head, sums = ((merry_ride, write_ride, RIDE_HEAD, sum_up_rides) if name == "merry-go-round"
                              else (points_way, write_way, WAY_HEAD, sum_up_ways))
    seen: dict[str, list[Any]] = {contestant: [] for contestant in contestants}
    write(head)
    for seed in range(seeds):
        for contestant, config in contestants.items():
            seen[contestant].append(watch(config.replace(seed=seed), steps))
            write(row(contestant, seed, seen[contestant][-1]))
    write("\n" + sums(seen) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=tuple(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=0, help="6,000 (ring), 9,000 (grid) and 150,000 unless given")
    parser.add_argument("--only-now", action="store_true", help="leave the older values out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.sets:
        steps = args.steps or STEPS[name]
        print(f"## {name}: {steps:,} steps on one thread, torch {torch.__version__}\n", flush=True)
        compare(name, args.seeds, steps, not args.only_now, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
