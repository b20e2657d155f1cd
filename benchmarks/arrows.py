"""Whether fakes follow their arrows: python -m benchmarks.arrows

On the ring, at moments before it has converged, one update of the generator alone. The cosine between the way of each of the 64
fakes that have an arrow and the arrow that was shown before the update, on average: of the generator as it is, and of its moving
average, which is what the page drew in former versions. Nothing of the training moves between the moments but training itself.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from gan_core.config import PRESETS
from gan_core.evaluation.plane import FULL_ARROW, LONGEST_ARROW, NUM_ARROWS, Axes, push_vectors
from gan_core.registry import NETWORKS
from gan_core.training.trainer import GeneratorName, Trainer

MOMENTS = (10, 25, 50, 75, 100, 125, 150, 200)  # steps; the ring stands at its bar after about 300
NAMES: tuple[GeneratorName, ...] = ("now", "average")


@dataclass(frozen=True)
class Follow:
    """One update of the generator at a step. cosine: by generator, in [-1, 1]; slope: the steepest, in logits across the view."""

    step: int
    cosine: dict[str, float]
    slope: float
    moved: float  # mean way of a fake of the generator as it is, in sides of the view


def follow(trainer: Trainer, axes: Axes) -> Follow:
    """Makes one update of the generator alone."""
    z, middle = trainer.batches.fixed_z(NUM_ARROWS)[0], torch.tensor(axes.middle)

    def positions(name: GeneratorName) -> torch.Tensor:
        return (trainer.sample(z, generator=name) - middle) / axes.scale  # in the networks' units, as D sees them

    step, before, training = trainer.step_count, {name: positions(name) for name in NAMES}, trainer.D.training
    trainer.D.eval()
    arrows = {name: push_vectors(trainer.D, before[name], axes.side / axes.scale, trainer.loss.fake_is_one) for name in NAMES}
    trainer.D.train(training)
    trainer.generator_step()
    ways = {name: positions(name) - before[name] for name in NAMES}
    side = axes.side / axes.scale
    cosine = {name: float(F.cosine_similarity(ways[name], arrows[name]).mean()) for name in NAMES}
    slope = float(arrows["now"].norm(dim=1).max()) / (LONGEST_ARROW * side) * FULL_ARROW
    return Follow(step, cosine, slope, float(ways["now"].norm(dim=1).mean()) / side)


def follows(preset: str, seed: int, moments: tuple[int, ...] = MOMENTS) -> list[Follow]:
    """One `Follow` for each moment of a run on one thread."""
    trainer, found = Trainer(PRESETS[preset].replace(seed=seed, threads=1)), []
    axes = Axes.around(trainer.images, trainer.batches.mean, trainer.scale)
    while len(found) < len(moments):
        trainer.step()
        if trainer.step_count >= moments[len(found)]:
            found.append(follow(trainer, axes))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    points = [name for name, config in PRESETS.items() if NETWORKS[config.networks].points]
    parser.add_argument("--preset", default="ring", choices=points)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--moments", type=int, nargs="+", default=list(MOMENTS))
    options = parser.parse_args()
    print("| seed | step | cosine, as it is | cosine, average | steepest slope (to 8) | way, % of the view |")
    print("|---|---|---|---|---|---|")
    for seed in options.seeds:
        for one in follows(options.preset, seed, tuple(options.moments)):
            print(f"| {seed} | {one.step} | {one.cosine['now']:.2f} | {one.cosine['average']:.2f} | {one.slope:.1f} | "
                  f"{100 * one.moved:.1f} |", flush=True)


if __name__ == "__main__":
    main()
