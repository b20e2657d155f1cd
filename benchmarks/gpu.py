"""The course's whole training on a GPU: python -m benchmarks.gpu

117,555 pictures of 28x28, 10 epochs, the course's networks, batch 64, as in the notebook (5 to 6 minutes on a V100). The data are
on the device, each player's update is one CUDA graph, and the host waits for the device only at the end of an epoch. For
comparison, in turns, the same trainer with single launches, and both in fp32. Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import time

import torch

from gan_core.compute.choices import ComputeChoices
from gan_core.config import PRESETS
from gan_core.training.trainer import Trainer

COUNT, EPOCHS = 117_555, 10


def seconds(trainer: Trainer, steps: int) -> float:
    """Seconds of this many steps, until the device has finished."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        trainer.step()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def eager(trainer: Trainer) -> Trainer:
    """The same trainer without CUDA graphs."""
    trainer._updates = (trainer._update_discriminator, trainer._update_generator)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3, help="turns of 200 steps of each variant")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured.")
        return
    images = torch.randint(0, 256, (COUNT, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    config = PRESETS["course"].replace(batch_size=args.batch, device="cuda")
    variants = {f"{precision}, {how}": (eager if how == "single launches" else lambda t: t)(
                Trainer(config, images, choices=ComputeChoices("cuda", precision, rewrites=False)))
            for precision in ("bf16", "fp32") for how in ("graph", "single launches")}
    for trainer in variants.values():
        seconds(trainer, 20)  # selects kernels, captures graphs
    speeds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(args.turns):
        for name, trainer in variants.items():
            speeds[name].append(200 * args.batch / seconds(trainer, 200))
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}, batch {args.batch}\n")
    print("| variant | images/s, best turn | x single launches, same format |\n|---|---|---|")
    for name, values in speeds.items():
        base = max(speeds[name.split(",")[0] + ", single launches"])
        print(f"| {name} | {max(values):.0f} | {max(values) / base:.2f} |")
    trainer = Trainer(config, images, choices=ComputeChoices("cuda", "bf16", rewrites=False))
    steps = EPOCHS * (COUNT // args.batch)
    print(f"\n{COUNT:,} pictures x {EPOCHS} epochs, {steps:,} steps, capture included: {seconds(trainer, steps):.1f} s")


if __name__ == "__main__":
    main()
