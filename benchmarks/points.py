"""Modes of the literature's ring and grid covered after training on one core: python -m benchmarks.points

Each preset trains for its time on one thread, then 2,500 samples are assessed by PacGAN's protocol (evaluation/modes.py).
The baseline has the same networks, z and time, and the plain GAN of PacGAN's table [1712.04086]: cross-entropy, no penalty,
Adam 1e-4 (.8, .999), batch 100. The two alternate, seed by seed, so that other load on the machine affects both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from gan_core.config import PRESETS, TrainConfig
from gan_core.data.points import CENTRES, SIGMA
from gan_core.evaluation.modes import NUM_SAMPLES, assess_modes
from gan_core.training.trainer import Trainer

SECONDS = {"grid": 60.0, "ring": 30.0}  # one core
GAN = {"loss": "non-saturating", "r1": 0.0, "r2": 0.0, "lr_d": 1e-4, "lr_g": 1e-4, "batch_size": 100, "decay_steps": 0,
       "betas_d": (0.8, 0.999), "betas_g": (0.8, 0.999)}
PUBLISHED = {"grid": "GAN 17.3 / 94.8% / .70; PacGAN4, the best, 24.8 / 93.6% / .04; a perfect sampler 25 / 98.9% / .0048",
             "ring": "GAN 6.3 / 98.2% / .45; PacGAN4 7.8 / 95.9% / .07; a perfect sampler 8 / 98.9% / .0014"}


def race(config: TrainConfig, seconds: float, steps: int = 0) -> tuple[dict[str, float], int, float]:
    """(modes, good and mode_kl at the end), steps, seconds. With `steps` above 0 it trains that many steps, whatever the time."""
    trainer = Trainer(config)
    begin, count = time.perf_counter(), 0
    while count < steps if steps else time.perf_counter() - begin < seconds:
        trainer.step()
        count += 1
    elapsed = time.perf_counter() - begin
    return assess_modes(trainer.sample(NUM_SAMPLES), CENTRES[config.dataset], SIGMA[config.dataset]), count, elapsed


def compare(name: str, seeds: int, seconds: float, steps: int, write: Callable[[str], None]) -> None:
    """Writes one table: each seed of the preset and of its baseline, and their medians."""
    contestants = {f"preset {name}": PRESETS[name], "GAN": PRESETS[name].replace(**GAN)}
    results: dict[str, list[tuple[dict[str, float], int, float]]] = {contestant: [] for contestant in contestants}
    write("| contestant | seed | modes | good | KL | steps | seconds |\n|---|---|---|---|---|---|---|")
    for seed in range(seeds):
        for contestant, config in contestants.items():
            m, count, elapsed = race(config.replace(seed=seed, threads=1), seconds, steps)
            results[contestant].append((m, count, elapsed))
            write(f"| {contestant} | {seed} | {m['modes']} | {m['good']:.1%} | {m['mode_kl']:.4f} | {count:,} | {elapsed:.1f} |")
    for contestant, rows in results.items():
        modes, good, kl = (statistics.median(m[key] for m, _, _ in rows) for key in ("modes", "good", "mode_kl"))
        count, elapsed = (statistics.median(row[k] for row in rows) for k in (1, 2))
        write(f"| **{contestant}** | median | {modes:g} | {good:.1%} | {kl:.4f} | {count:,.0f} | {elapsed:.1f} |")
    write(f"\nPublished, of as many samples: {PUBLISHED[name]}.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=tuple(SECONDS), default=list(SECONDS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.0, help="for each run; 60 (grid) and 30 (ring) unless given")
    parser.add_argument("--steps", type=int, default=0, help="steps in place of seconds, for a busy machine")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.sets:
        seconds = args.seconds or SECONDS[name]
        budget = f"{args.steps:,} steps" if args.steps else f"{seconds:g} s"
        print(f"## {name}: {budget} on one thread, torch {torch.__version__}\n")
        compare(name, args.seeds, seconds, args.steps, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
