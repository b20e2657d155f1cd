"""How many modes of the literature's ring and grid are found on one core: python -m benchmarks.points

Each preset trains for its time on one thread, then 2,500 samples are assessed by PacGAN's protocol (evaluation/modes.py).
The peer has the same networks, z and time, and the plain GAN of PacGAN's table [1712.04086]: cross-entropy, no penalty,
Adam 1e-4 (.8, .999), batch 100. The two take turns, seed by seed, so that a change in the machine's mood meets both.
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
    """(modes, good, mode_kl of the end), steps made, seconds taken. `steps` above 0 counts those and looks at no clock."""
    trainer = Trainer(config)
    begin, made = time.perf_counter(), 0
    while made < steps if steps else time.perf_counter() - begin < seconds:
        trainer.step()
        made += 1
    took = time.perf_counter() - begin
    return assess_modes(trainer.sample(NUM_SAMPLES), CENTRES[config.dataset], SIGMA[config.dataset]), made, took


def compare(name: str, seeds: int, seconds: float, steps: int, say: Callable[[str], None]) -> None:
    """One table: each seed of the preset and of its peer, and their medians."""
    contestants = {f"preset {name}": PRESETS[name], "GAN": PRESETS[name].replace(**GAN)}
    found: dict[str, list[tuple[dict[str, float], int, float]]] = {who: [] for who in contestants}
    say("| contestant | seed | modes | good | KL | steps | seconds |\n|---|---|---|---|---|---|---|")
    for seed in range(seeds):
        for who, config in contestants.items():
            m, made, took = race(config.replace(seed=seed, threads=1), seconds, steps)
            found[who].append((m, made, took))
            say(f"| {who} | {seed} | {m['modes']} | {m['good']:.1%} | {m['mode_kl']:.4f} | {made:,} | {took:.1f} |")
    for who, rows in found.items():
        modes, good, kl = (statistics.median(m[key] for m, _, _ in rows) for key in ("modes", "good", "mode_kl"))
        made, took = (statistics.median(row[k] for row in rows) for k in (1, 2))
        say(f"| **{who}** | median | {modes:g} | {good:.1%} | {kl:.4f} | {made:,.0f} | {took:.1f} |")
    say(f"\nPublished, of as many samples: {PUBLISHED[name]}.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=tuple(SECONDS), default=list(SECONDS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.0, help="for each run; 60 (grid) and 30 (ring) unless given")
    parser.add_argument("--steps", type=int, default=0, help="count steps, not seconds: for a busy machine")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.sets:
        seconds = args.seconds or SECONDS[name]
        budget = f"{args.steps:,} steps" if args.steps else f"{seconds:g} s"
        print(f"## {name}: {budget} on one thread, torch {torch.__version__}\n")
        compare(name, args.seeds, seconds, args.steps, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
