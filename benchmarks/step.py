"""How fast the course's GAN learns here, against Keras and a tutorial's loop: python -m benchmarks.step

All train the same two networks with the same two updates a step, on the same data and number of threads. They take turns within
one run (A B C A B C ...), so that other load on the machine affects all of them. Medians over rounds are printed. Each contestant
has a separate process, as its users would run it: this project configures its process's memory allocator, which must not affect
the others. The same turns measure the convolution peak: the largest GFLOP/s of a well-shaped convolution, forward and backward.
"of the peak" counts the course's 2.18 GFLOP per image and step, the plain form, for all contestants; "made" counts the products
that this project's cheaper forms really compute, 0.71 GFLOP.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

# Before Keras is imported anywhere.
os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="keras-home-"))

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import keras_course
from benchmarks.keras_course import LATENT
from gan_core.compute.choices import retain_freed_memory
from gan_core.config import PRESETS
from gan_core.training.trainer import Trainer

Contestant = Callable[[], object]  # one round: a fixed number of whole GAN steps
CONTESTANTS = ("auto", "fp32", "keras", "tutorial", "peak float32", "peak bfloat16")
PLAIN, MADE = 2.18, 0.71  # GFLOP per image and step: the plain form, and with nine products where upsampling has 36


def playground(images: np.ndarray, batch: int, steps: int, threads: int, precision: str) -> tuple[str, Contestant]:
    """This project's Trainer. images: uint8 (N, 1, 28, 28)."""
    config = PRESETS["course"].replace(batch_size=batch, threads=threads, precision=precision)
    trainer = Trainer(config, images=torch.from_numpy(images))

    def run() -> float:
        for _ in range(steps):
            metrics = trainer.step()
        return float(metrics["d_loss"])

    return f"this project, {precision if precision != 'auto' else 'auto: ' + trainer.choices.precision}", run


def keras_model(images: np.ndarray, batch: int, steps: int) -> tuple[str, Contestant]:
    """Keras on the torch backend, as Keras users write a GAN: a Model with a custom train_step, run by fit."""
    import keras

    gan = keras_course.gan(*keras_course.networks())
    data = (images[:steps * batch].transpose(0, 2, 3, 1) / 255).astype("float32")
    return f"Keras {keras.__version__} on torch", lambda: gan.fit(data, batch_size=batch, epochs=1, verbose=0)


def tutorial(images: np.ndarray, batch: int, steps: int) -> tuple[str, Contestant]:
    """A loop as in PyTorch's tutorials: NCHW, float32, Adam, a DataLoader, not optimised."""
    G = nn.Sequential(
        nn.Linear(LATENT, 7 * 7 * 64), nn.Unflatten(1, (64, 7, 7)),
        nn.Upsample(scale_factor=2), nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 1, 5, padding=2), nn.Sigmoid())
    D = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(128, 128, 4, 2), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(2048, 1))
    opt_G, opt_D = torch.optim.Adam(G.parameters(), 1e-4), torch.optim.Adam(D.parameters(), 1e-4)
    criterion = nn.BCEWithLogitsLoss()
    data = torch.from_numpy(images[:steps * batch]).float() / 255
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data), batch_size=batch, shuffle=True)

    def run() -> float:
        for (real,) in loader:
            n = len(real)
            opt_D.zero_grad()
            fake = G(torch.randn(n, LATENT)).detach()
            labels = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
            d_loss = criterion(D(torch.cat([fake, real])), labels + 0.05 * torch.rand_like(labels))
            d_loss.backward()
            opt_D.step()

            opt_G.zero_grad()
            g_loss = criterion(D(G(torch.randn(n, LATENT))), torch.zeros(n, 1))
            g_loss.backward()
            opt_G.step()
        return g_loss.item()

    return "PyTorch, tutorial loop", run


SHAPES = ((128, 256, 28, 32), (256, 256, 14, 64), (512, 512, 14, 16))  # in, out, height and width, images: fast in libraries


def peak(dtype: torch.dtype) -> tuple[str, Contestant]:
    """One pass of well-shaped 3x3 convolutions, forward and backward, channels_last; returns the best one's GFLOP/s."""
    cases = []
    for inside, out, size, count in SHAPES:
        x = torch.randn(count, inside, size, size).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        w = torch.randn(out, inside, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        y = F.conv2d(x, w, padding=1)
        cases.append((x, w, torch.randn_like(y), 3 * 2 * y.numel() * inside * 9))

    def run() -> float:
        speeds = []
        for x, w, gradient, operations in cases:
            start = time.perf_counter()
            torch.autograd.grad(F.conv2d(x, w, padding=1), (x, w), gradient)
            speeds.append(operations / (time.perf_counter() - start) / 1e9)
        return max(speeds)

    return f"convolution peak, {str(dtype).removeprefix('torch.')}", run


def serve(pipe: Any, which: str, batch: int, steps: int, threads: int) -> None:
    """A contestant's process: sends its name, then the speed of one turn for each request (images/s; GFLOP/s of a peak)."""
    images = np.random.default_rng(0).integers(0, 256, (steps * batch, 1, 28, 28), np.uint8)
    torch.set_num_threads(threads)
    if which.startswith("peak"):
        retain_freed_memory()
        name, run = peak(getattr(torch, which.split()[1]))
    else:
        build = {"auto": lambda: playground(images, batch, steps, threads, "auto"),
                 "fp32": lambda: playground(images, batch, steps, threads, "fp32"),
                 "keras": lambda: keras_model(images, batch, steps), "tutorial": lambda: tutorial(images, batch, steps)}
        name, run = build[which]()
    pipe.send(name)
    while pipe.recv():
        torch.set_num_threads(threads)
        start = time.perf_counter()
        result = run()
        pipe.send(result if which.startswith("peak") else steps * batch / (time.perf_counter() - start))


def compare(threads: int, batch: int, steps: int, rounds: int) -> dict[str, tuple[str, list[float]]]:
    """Contestant -> (name, speed of each round), all on `threads` threads, each in a separate process."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for which in CONTESTANTS:
        pipes[which], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(theirs, which, batch, steps, threads), daemon=True))
        processes[-1].start()
    results: dict[str, tuple[str, list[float]]] = {which: (pipe.recv(), []) for which, pipe in pipes.items()}
    for turn in range(rounds + 1):
        for which, pipe in pipes.items():
            pipe.send(True)
            speed = pipe.recv()
            if turn:  # the first turn warms up
                results[which][1].append(speed)
    for process in processes:
        process.kill()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads of every contestant, one table each")
    parser.add_argument("--batch", type=int, default=64, help="real images per step")
    parser.add_argument("--steps", type=int, default=2, help="steps per turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns that count, after one of warm-up")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, batch {args.batch}, {args.rounds} rounds of {args.steps} steps\n")
    print("| contestant | threads | images/s, median | min - max | x Keras | x tutorial | of the peak | made |")
    print("|---" * 8 + "|")
    for threads in args.threads:
        results = compare(threads, args.batch, args.steps, args.rounds)
        medians = {which: statistics.median(speeds) for which, (_, speeds) in results.items()}
        for which, (name, speeds) in results.items():
            speed, span = medians[which], f"{min(speeds):.0f} - {max(speeds):.0f}"
            if which.startswith("peak"):
                print(f"| {name} | {threads} | {speed:.0f} GFLOP/s | {span} | | | | |", flush=True)
                continue
            top = medians["peak bfloat16" if "bf16" in name else "peak float32"]
            made = f"{speed * MADE / top:.0%}" if "project" in name else ""
            print(f"| {name} | {threads} | {speed:.0f} | {span} | {speed / medians['keras']:.2f} "
                  f"| {speed / medians['tutorial']:.2f} | {speed * PLAIN / top:.0%} | {made} |", flush=True)


if __name__ == "__main__":
    main()
