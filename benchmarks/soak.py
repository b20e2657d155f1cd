"""Whether quality holds when a preset trains ten times as long as it needs: python -m benchmarks.soak

Trains on the 5,000 digits and measures the Frechet distance of 5,000 pictures of the averaged generator, always from the same
z, to 1,000 digits that the classifier was not fitted on. The figure is the last distance over the best one: 1 is perfect,
StudioGAN's log of a DCGAN gives 2.8. Measuring does not count as training time.
"""

from __future__ import annotations

import os

import torch

from benchmarks.quality import QualityMeter, arguments, train_for
from gan_core.config import PRESETS
from gan_core.evaluation.measures import frechet_distance
from gan_core.training.trainer import Trainer

PICTURES = 5000
CHECKS = 20


def soak(meter: QualityMeter, preset: str, seed: int, threads: int, seconds: float, steps: int) -> list[float]:
    """The distance over its floor after each twentieth of the time or of the steps; each is printed at once."""
    torch.set_num_threads(threads)
    trainer = Trainer(PRESETS[preset].replace(seed=seed, threads=threads), meter.images, meter.labels)
    z = torch.randn(PICTURES, trainer.config.latent_dim, generator=torch.Generator().manual_seed(1))
    spent, curve = 0.0, []
    for check in range(1, CHECKS + 1):
        if steps:
            spent += train_for(trainer, float("inf"), steps * check // CHECKS)
        else:
            spent += train_for(trainer, seconds * check / CHECKS - spent, 0)
        features = meter.classifier.features(trainer.sample(z))
        curve.append(frechet_distance(meter.real, features) / meter.floor)
        print(f"| {seed} | {spent:.0f} | {trainer.step_count:,} | {curve[-1]:.3f} |", flush=True)
    return curve


def main() -> None:
    args = arguments(__doc__, 1200, [0, 1, 2]).parse_args()
    meter = QualityMeter()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {args.threads} thread(s), {args.preset}; "
          f"real against real: FD {meter.floor:.4f}\n\n| seed | seconds | steps | FD / floor |\n|---|---|---|---|")
    curves = [soak(meter, args.preset, seed, args.threads, args.seconds, args.steps) for seed in args.seeds]
    print()
    for seed, curve in zip(args.seeds, curves, strict=True):
        best = min(curve)
        print(f"seed {seed}: best {best:.3f} at {curve.index(best) + 1}/{CHECKS}, last {curve[-1]:.3f}, "
              f"last / best {curve[-1] / best:.3f}; at most 1.1 is promised")


if __name__ == "__main__":
    main()
