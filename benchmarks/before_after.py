"""The speed of training of two checkouts, in turns: python -m benchmarks.before_after OTHER_CHECKOUT

Each turn is a fresh process of one checkout that makes the same steps of the same preset. Medians in images a second are printed,
the ratio of this checkout to the other one, and the range of each, because machines are shared and noisy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = {"quick": 300, "course": 20, "steady": 100, "ring": 400}  # some seconds each on two cores
TURN = """
import sys, time
import torch
sys.path.insert(0, sys.argv[1])
from gan_core import Trainer
from gan_core.config import PRESETS
torch.set_num_threads(2)
trainer, steps = Trainer(PRESETS[sys.argv[2]].replace(threads=2, device="cpu")), int(sys.argv[3])
for _ in range(steps // 5):
    trainer.step()
began = time.perf_counter()
for _ in range(steps):
    trainer.step()
print(steps * trainer.config.batch_size / (time.perf_counter() - began))
"""


def images_per_second(root: Path, preset: str) -> float:
    """One turn of the checkout `root`. Raises CalledProcessError where it cannot train."""
    done = subprocess.run([sys.executable, "-c", TURN, str(root), preset, str(STEPS[preset])], cwd=root, check=True,
                          stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--presets", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("preset | other, images/s (range) | here, images/s (range) | here / other")
    for preset in options.presets:
        rates: dict[Path, list[float]] = {options.other.resolve(): [], ROOT: []}
        for _ in range(options.rounds):
            for root, values in rates.items():
                values.append(images_per_second(root, preset))
        other, here = rates.values()
        shown = [f"{statistics.median(values):,.0f} ({min(values):,.0f} - {max(values):,.0f})" for values in (other, here)]
        print(" | ".join([preset, *shown, f"{statistics.median(here) / statistics.median(other):.2f}"]), flush=True)


if __name__ == "__main__":
    main()
