"""Training beside a busy process: python -m benchmarks.contention

Two threads that wait for each other lose more beside one busy process than they gain alone, so the worker tunes their number by
its speed. Here the default preset trains with one thread, with all cores, and tuned, in turns: alone, beside a process that keeps
one core busy, and alone again. Figures are images per second; each ratio is to one thread beside the busy process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from gan_core.compute import autotune
from gan_core.compute.cores import cores
from gan_core.compute.thread_tuner import ThreadTuner
from gan_core.config import PRESETS
from gan_core.training import setup
from gan_core.training.trainer import Trainer
from gan_core.training.trial import trainer_builder

BUSY = "while True: pass"


class Contestant:
    """A training that continues over the turns; `threads` 0 is tuned, any other number is fixed."""

    def __init__(self, name: str, trainer: Trainer, threads: int, speeds: dict[int, float]) -> None:
        self.name, self.trainer, self.now = name, trainer, threads or cores()
        self._threads = ThreadTuner(self.now, 0 if threads else cores(), speeds)
        self.changes: list[str] = []

    def train(self, seconds: float) -> float:
        """Images per second over this many seconds of steps."""
        torch.set_num_threads(self.now)
        began, images = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            started = time.monotonic()
            float(self.trainer.step()["g_loss"])
            images += self.trainer.config.batch_size
            if change := self._threads.record(self.trainer.config.batch_size, time.monotonic() - started):
                self.now = change[1]
                self.changes.append("{} to {}".format(*change))
        return images / passed


def turns(contestants: list[Contestant], rounds: int, seconds: float, busy: bool) -> dict[str, list[float]]:
    """Images per second of each contestant's turns, all beside a busy process or all without one."""
    speeds: dict[str, list[float]] = {c.name: [] for c in contestants}
    busy_process = subprocess.Popen([sys.executable, "-c", BUSY]) if busy else None
    try:
        for _ in range(rounds):
            for contestant in contestants:
                speeds[contestant.name].append(contestant.train(seconds))
    finally:
        if busy_process is not None:
            busy_process.kill()
            busy_process.wait()
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quick", choices=list(PRESETS))
    parser.add_argument("--rounds", type=int, default=3, help="turns of every contestant in each situation")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    args = parser.parse_args()
    config = PRESETS[args.preset]
    images, labels = setup.load_data(config)
    choices = autotune.choose(config, trainer_builder(images, labels))
    speeds = dict(choices.speeds)
    make: Callable[[], Trainer] = lambda: Trainer(config, images, labels, choices=choices)  # noqa: E731
    contestants = [Contestant("1 thread", make(), 1, speeds), Contestant(f"{cores()} threads", make(), cores(), speeds),
                   Contestant("tuned", make(), 0, speeds)]
    print(f"torch {torch.__version__}, {cores()} cores, preset {args.preset}: {choices.precision}, {choices.memory_format}; "
          f"{args.rounds} turns of {args.seconds:g} s\nprobed: " + ", ".join(f"{n}: {s:.0f} images/s" for n, s in choices.speeds))
    results = [(situation, turns(contestants, args.rounds, args.seconds, busy))
               for situation, busy in (("alone", False), ("beside a busy process", True), ("alone again", False))]
    base = statistics.median(results[1][1]["1 thread"])
    print("\n| situation | threads | images/s, median | min - max | x 1 thread beside it |\n|---|---|---|---|---|")
    for situation, speed in results:
        for name, values in speed.items():
            print(f"| {situation} | {name} | {statistics.median(values):.0f} | {min(values):.0f} - {max(values):.0f} "
                  f"| {statistics.median(values) / base:.2f} |")
    print(f"\nthe tuned one changed: {'; '.join(contestants[2].changes) or 'nothing'}")


if __name__ == "__main__":
    main()
