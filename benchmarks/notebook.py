"""The course's notebook, an epoch in Keras and here: python -m benchmarks.notebook

All train the same two Keras models, a copy each, on the same 5,000 digits, epoch by epoch in turns: by a train_step in Keras as
its users write one; by `DCGAN.fit`, with the weights going to it and back; and by `DCGAN.fit(..., run=FOLDER)`, which writes
curves, samples, measures and checkpoints for a page to show. Printed are the medians in seconds and their ratios.
"""

from __future__ import annotations

import os
import tempfile

# Before Keras is imported anywhere.
os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="keras-home-"))

import argparse
import statistics
import time

import torch

from benchmarks import keras_course
from gan_core import DCGAN
from gan_core.data.digits import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each that count, after one of warm-up")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x = (load()[0][:args.pictures].transpose(0, 2, 3, 1) / 255).astype("float32")
    theirs = keras_course.gan(*keras_course.networks())
    ours, seen = (DCGAN(*keras_course.networks("sigmoid"), keras_course.LATENT) for _ in range(2))
    folder = tempfile.mkdtemp(prefix="runs-")
    epochs = {"Keras": lambda: theirs.fit(x, batch_size=args.batch, epochs=1, verbose=0),
              "DCGAN.fit": lambda: ours.fit(x, batch_size=args.batch, epochs=1, verbose=0),
              "DCGAN.fit with run=": lambda: seen.fit(x, batch_size=args.batch, epochs=1, verbose=0, run=folder)}
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(args.rounds + 1):
        for name, run in epochs.items():
            began = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    assert ours.trainer is not None
    print(f"One epoch of {len(x):,} pictures, batch {args.batch}, {args.threads} threads, torch {torch.__version__}, "
          f"{ours.trainer.choices.precision}\n\n| by | seconds, median | min - max |\n|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} - {max(values):.1f} |")
    keras, fit, shown = (statistics.median(values) for values in seconds.values())
    print(f"\nKeras takes {keras / fit:.1f} times as long as fit; with run= a fit takes {shown / fit:.2f} times as long.")


if __name__ == "__main__":
    main()
