"""The cost of frames of 2-D points: processor time of one thread for each part of a frame, and its size.

    python -m benchmarks.plane [--repeats 100]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch

from gan_core.config import TrainConfig
from gan_core.evaluation import plane
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.worker.recorder import Recorder

SHARE, INTERVAL = 0.035, 0.25  # the recorder's limits for frames: share of the time, and least seconds between two


def cost(action: Callable[[], Any], repeats: int) -> float:
    """Median milliseconds of processor time, which other load on the machine changes little."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    trainer = Trainer(TrainConfig(dataset="grid", networks="mlp", loss="relativistic", latent_dim=2, batch_size=128, device="cpu",
                                  threads=1))
    for _ in range(20):
        trainer.step()
    axes, (z, _) = plane.Axes.around(trainer.images, trainer.batches.mean,
                                     trainer.scale), trainer.batches.fixed_z(plane.NUM_FAKES)
    frame = plane.make_frame(trainer.G_ema, trainer.D, z, axes)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Run.create(trainer.config, folder), trainer, life=1, seq=0, live=0)
        parts = {"heat map of D": lambda: plane.heat_map(trainer.D, axes),
                 "arrows": lambda: plane.push_vectors(trainer.D, z[:64], 1.0),
                 "fakes": lambda: trainer.G_ema(z), "where D is undecided": trainer.center,
                 "as JSON": lambda: plane.to_json(frame), "all of it, written": recorder.write_frame}
        for name, action in parts.items():
            whole = cost(action, repeats)
            print(f"{name:22} {whole:6.2f} ms")
    print(f"{len(plane.to_json(frame)):,} bytes a frame; {1 / max(INTERVAL, whole / 1000 / SHARE):.1f} frames a second within "
          f"{SHARE:.1%} of the time")


if __name__ == "__main__":
    main()
