"""The cost of measuring quality during training: python -m benchmarks.measuring

Trains with measuring off and on in turns (off on off on ...) in one process, like a worker, which checks for due slices eight
times a second. Prints images per second of both, their ratio, and the length of the slices that training waits for. All times are
processor time, so that other load on the machine has little influence.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from gan_core.config import PRESETS
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.worker import best_checkpoint
from gan_core.worker.recorder import Recorder
from gan_core.worker.session import REPORT

SETTLED = 1.0  # seconds of warm-up


class Contestant:
    """A run of a preset, trained a few seconds at a time."""

    def __init__(self, preset: str, share: float, threads: int, folder: Path) -> None:
        self.run = Run.create(PRESETS[preset].replace(measure_share=share, threads=threads), folder, preset=preset)
        self.trainer = Trainer(self.run.config)
        self.recorder = Recorder(self.run, self.trainer, 1, 0, 0)
        self.best = best_checkpoint.BestCheckpoint(self.run, self.trainer, lambda **fields: None, 0.0)
        self.elapsed, self.slices = 0.0, []

    def train(self, seconds: float) -> float:
        """Trains for this many seconds of processor time; returns images per second."""
        began, before, reported = time.process_time(), self.trainer.images_seen, 0.0
        while (now := time.process_time()) - began < seconds:
            self.trainer.step()
            if now - reported >= REPORT:
                reported = now
                called, spent = time.process_time(), self.best.seconds_spent
                self.best.run_slice(self.recorder, self.elapsed + now - began)
                if self.best.seconds_spent > spent:
                    self.slices.append(time.process_time() - called)
        took = time.process_time() - began
        self.elapsed += took
        return (self.trainer.images_seen - before) / took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=["quick", "course"], choices=list(PRESETS))
    parser.add_argument("--share", type=float, default=PRESETS["quick"].measure_share)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0, help="of processor time, each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    best_checkpoint.time.monotonic = time.process_time  # the budget counts processor time too
    print(f"torch {torch.__version__}, {args.threads} threads, {args.rounds} rounds of {args.seconds:g} s\n")
    print(f"| preset | images/s without | with {args.share:.0%} | ratio | slice, median ms | longest | share | measurements |\n"
          "|---|---|---|---|---|---|---|---|")
    for preset in args.presets:
        with tempfile.TemporaryDirectory() as folder:
            both = [Contestant(preset, share, args.threads, Path(folder)) for share in (0.0, args.share)]
            for one in both:
                one.train(SETTLED)
            speeds = [[one.train(args.seconds) for one in both] for _ in range(args.rounds)]
            off, on = (statistics.median(column) for column in zip(*speeds, strict=True))
            ratio = statistics.median(b / a for a, b in speeds)
            slices = [1e3 * one for one in both[1].slices]
            done = sum("quality" in record for record in both[1].run.metrics())
            print(f"| {preset} | {off:.0f} | {on:.0f} | {ratio:.3f} | {statistics.median(slices):.1f} | {max(slices):.1f} "
                  f"| {both[1].best.seconds_spent / both[1].elapsed:.3f} | {done} |", flush=True)


if __name__ == "__main__":
    main()
