"""Whether a preset falls apart when it is left alone, ten times as long as it needs: python -m benchmarks.soak

Trains on the 5,000 digits and measures the Frechet distance of 5,000 pictures of the averaged generator, always from the same
z, to 1,000 digits that the judge was not fitted on. The last distance over the best one on the way is the figure: 1 is perfect,
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
LOOKS = 20


def soak(ruler: QualityMeter, preset: str, seed: int, threads: int, seconds: float, steps: int) -> list[float]:
    """The distance, in floors, after each twentieth of the time or of the steps; printed as it is found."""
    torch.set_num_threads(threads)
    trainer = Trainer(PRESETS[preset].replace(seed=seed, threads=threads), ruler.images, ruler.labels)
    z = torch.randn(PICTURES, trainer.config.latent_dim, generator=torch.Generator().manual_seed(1))
    spent, curve = 0.0, []
    for look in range(1, LOOKS + 1):
        if steps:
            spent += train_for(trainer, float("inf"), steps * look // LOOKS)
        else:
            spent += train_for(trainer, seconds * look / LOOKS - spent, 0)
        features = ruler.classifier.features(trainer.sample(z))
        curve.append(frechet_distance(ruler.real, features) / ruler.floor)
        print(f"| {seed} | {spent:.0f} | {trainer.step_count:,} | {curve[-1]:.3f} |", flush=True)
    return curve


def main() -> None:
    args = arguments(__doc__, 1200, [0, 1, 2]).parse_args()
    ruler = QualityMeter()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {args.threads} thread(s), {args.preset}; "
          f"real against real: FD {ruler.floor:.4f}\n\n| seed | seconds | steps | FD / floor |\n|---|---|---|---|")
    curves = [soak(ruler, args.preset, seed, args.threads, args.seconds, args.steps) for seed in args.seeds]
    print()
    for seed, curve in zip(args.seeds, curves, strict=True):
        best = min(curve)
        print(f"seed {seed}: best {best:.3f} at {curve.index(best) + 1}/{LOOKS}, last {curve[-1]:.3f}, "
              f"last / best {curve[-1] / best:.3f}; at most 1.1 is promised")


if __name__ == "__main__":
    main()
