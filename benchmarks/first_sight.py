"""Which preset tells the story in its first minute: python -m benchmarks.first_sight

What somebody sees of a run at a few moments: the share of the fakes that can be read (readability.py's two readers), what the
discriminator believes of real pictures and of fakes, and its loss. The last column is the span of each over all moments.
Moments are seconds of processor time of training alone, on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from benchmarks.quality import QualityMeter
from gan_core.config import PRESETS
from gan_core.training.trainer import Metrics, Trainer

Look = tuple[float, float, float, float]
FAKES, SMOOTHED = 1000, 20  # fakes of a look; records whose mean is the value at a moment


def mean(records: list[Metrics], key: str) -> float:
    return statistics.mean(float(record[key]) for record in records[-SMOOTHED:])


def look(meter: QualityMeter, trainer: Trainer, records: list[Metrics]) -> Look:
    """(readable share of the averaged generator's fakes, belief in real ones, belief in fakes, D's loss)."""
    readable = meter.readability.assess(trainer.sample(FAKES)).agreement
    return readable, mean(records, "d_real"), mean(records, "d_fake"), mean(records, "d_loss")


def watch(meter: QualityMeter, name: str, seed: int, moments: list[float]) -> list[Look]:
    """What is seen at each moment."""
    trainer, seconds, seen = Trainer(PRESETS[name].replace(seed=seed, threads=1)), 0.0, []
    for moment in moments:
        records: list[Metrics] = []
        began = time.process_time()
        while seconds + time.process_time() - began < moment:
            records.append(trainer.step())
        seconds += time.process_time() - began
        seen.append(look(meter, trainer, records))
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    digits = [name for name, config in PRESETS.items() if config.dataset == "digits"]
    parser.add_argument("--presets", nargs="+", default=["quick", "conditional", "steady"], choices=digits)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--moments", type=float, nargs="+", default=[1, 3, 5, 10, 20, 30, 60])
    args = parser.parse_args()
    torch.set_num_threads(1)
    meter = QualityMeter()
    print("| preset | seed | " + " | ".join(f"{moment:g} s" for moment in args.moments) + " | moves |\n"
          + "|" + "---|" * (len(args.moments) + 3))
    for seed in args.seeds:  # seed by seed, so that other load on the machine affects all presets
        for name in args.presets:
            seen = watch(meter, name, seed, args.moments)
            cells = [f"{readable:.0%} read, {real:.2f} / {fake:.2f}, {loss:.2f}" for readable, real, fake, loss in seen]
            spans = [max(column) - min(column) for column in zip(*seen, strict=True)]
            print(f"| {name} | {seed} | " + " | ".join(cells)
                  + f" | read {spans[0]:.0%}, real {spans[1]:.2f}, fake {spans[2]:.2f}, loss {spans[3]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
