"""Several processes against one: python -m benchmarks.scale; what to expect elsewhere: python -m benchmarks.scale --model

Trains 1, 2 and 4 processes that torchrun starts, each with the same number of threads (one GPU each where CUDA is), first on the
preset's batch, which they share, then on a batch that grows with their number. Prints the time of a step, images per second, the
share of a step spent in its all-reduces (waiting for a slower process included), and the time of all-reduces of the same size
alone. Then one process started by torchrun trains in turns with a plain Trainer (A B A B ...): joining a team of one must cost at
most 2%. --model measures nothing: it prints those tables of docs/scaling.md that are arithmetic.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks import scale_model
from gan_core.compute.distributed import Team, join
from gan_core.config import PRESETS, TrainConfig
from gan_core.training.trainer import Trainer

ROOT = Path(__file__).parent.parent
SETTLED = 0.5  # seconds of warm-up
TURNS = 5


@dataclass(frozen=True)
class Timed(Team):
    """A team that records the time of its all-reduces, from the call until the sums have arrived."""

    spent: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def _sum(self, tensor: torch.Tensor) -> None:
        began = now(tensor)
        super()._sum(tensor)
        self.spent.append(now(tensor) - began)
        self.sizes.append(tensor.numel() * tensor.element_size())


def now(tensor: torch.Tensor, clock: Callable[[], float] = time.perf_counter) -> float:
    """The clock, after the tensor's GPU has finished its work."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
    return clock()


def train(trainer: Trainer, steps: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of this many steps."""
    weight = next(trainer.G.parameters())
    began = now(weight, clock)
    for _ in range(steps):
        trainer.step()
    return now(weight, clock) - began


def steps_for(trainer: Trainer, seconds: float) -> int:
    """The number of steps in this many seconds, the same in every process."""
    train(trainer, 3)
    one = train(trainer, 5) / 5
    train(trainer, math.ceil(agreed(trainer.team, SETTLED / one)))
    return math.ceil(agreed(trainer.team, seconds / one))


def agreed(team: Team, value: float) -> float:
    """The first process's value."""
    return value if team.size == 1 else team.sum([math.ceil(value) if team.rank == 0 else 0])[0]


# In a process started by torchrun.


def config_of(preset: str, batch: int, threads: int) -> TrainConfig:
    return PRESETS[preset].replace(batch_size=batch, threads=threads)


def scale(joined: Team, preset: str, batch: int, threads: int, seconds: float) -> dict[str, Any]:
    """The times of a step and of its all-reduces, as this process measures them."""
    team = Timed(joined.rank, joined.size, joined.local_rank, joined.local_size)
    trainer = Trainer(config_of(preset, batch, threads), team=team)
    steps = steps_for(trainer, seconds / TURNS)
    turns, exchanged = [], []
    for _ in range(TURNS):
        team.spent.clear()
        team.sizes.clear()
        turns.append(train(trainer, steps) / steps)
        exchanged.append(sum(team.spent) / steps)
    return {"step": statistics.median(turns), "in_step": statistics.median(exchanged),
            "precision": trainer.choices.precision, "bytes": sum(team.sizes) / steps,
            "messages": len(team.sizes) // steps, "alone": alone(team, trainer, steps)}


def alone(team: Timed, trainer: Trainer, steps: int) -> float:
    """Seconds of one step's all-reduces without any other work."""
    if team.size == 1:
        return 0.0
    buffers = [torch.zeros(size // 4, device=trainer.images.device) for size in team.sizes[:len(team.sizes) // steps]]
    times = []
    for _ in range(30):
        dist.barrier()
        began = now(buffers[0])
        for buffer in buffers:
            dist.all_reduce(buffer)
        times.append(now(buffers[0]) - began)
    return statistics.median(times)


def overhead(joined: Team, preset: str, batch: int, threads: int, seconds: float) -> dict[str, Any]:
    """A plain trainer and one in a team of one, in turns: seconds a step of each turn; processor time unless on a GPU."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time  # excludes other load on the machine
    config = config_of(preset, batch, threads)
    plain, other = Trainer(config), Trainer(config, team=joined)
    steps = steps_for(plain, seconds / (2 * 4 * TURNS))
    steps_for(other, 0.0)
    turns = [(train(plain, steps, clock) / steps, train(other, steps, clock) / steps) for _ in range(4 * TURNS)]
    return {"plain": [a for a, _ in turns], "joined": [b for _, b in turns]}


def run_processes(what: str, processes: int, preset: str, batch: int, threads: int, seconds: float) -> dict[str, Any]:
    """One measurement, by this many processes under torchrun."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
                   "-m", "benchmarks.scale", "--measure", what, str(out), preset, str(batch), str(threads), str(seconds)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                              env={**os.environ, "OMP_NUM_THREADS": str(threads)})
        if not out.exists():
            raise SystemExit(f"{processes} processes of {preset} did not finish:\n{done.stderr[-3000:]}")
        return json.loads(out.read_text())


def measure(what: str, out: str, preset: str, batch: str, threads: str, seconds: str) -> None:
    torch.set_num_threads(int(threads))
    joined = join()
    result = {"scale": scale, "overhead": overhead}[what](joined, preset, int(batch), int(threads), float(seconds))
    if joined.rank == 0:
        Path(out).write_text(json.dumps(result))
    joined.leave(0)


def scaling(preset: str, args: argparse.Namespace) -> None:
    """Prints the rows of one preset: with its batch, then with a batch that grows with the number of processes."""
    preset_batch, one = PRESETS[preset].batch_size, 0.0
    for grows in (False, True):
        for processes in args.processes:
            if (grows and processes == 1) or (torch.cuda.is_available() and processes > torch.cuda.device_count()):
                continue
            batch = preset_batch * processes if grows else preset_batch
            result = run_processes("scale", processes, preset, batch, args.threads, args.seconds)
            speed = batch / result["step"]
            one = one or speed  # of the first row
            share = result["in_step"] / result["step"]
            shares = f"{1e3 * result['in_step']:.2f} ms, {share:.0%} | {1e3 * result['alone']:.2f} ms"
            print(f"| {preset} | {batch} | {processes} | {1e3 * result['step']:.2f} | {speed:.0f} | {speed / one:.2f} "
                  f"| {speed / one / processes:.0%} | {shares} | {result['messages']} of {result['bytes']:,.0f} "
                  f"| {result['precision']} |", flush=True)


def report(args: argparse.Namespace) -> None:
    cuda = torch.cuda.is_available()
    places = torch.cuda.device_count() if cuda else len(os.sched_getaffinity(0))
    where = f"{places} x {torch.cuda.get_device_name()}, nccl" if cuda else f"{places} cores, gloo, {args.threads} thread(s) each"
    print(f"torch {torch.__version__}, {where}; {args.seconds:g} s a row, medians of {TURNS} turns")
    if not cuda and max(args.processes) * args.threads > places:
        print(f"(More than {places // args.threads} processes have to share the {places} cores: "
              "those rows say what sharing costs, not how training scales.)")
    print("\n| preset | batch | processes | ms a step | images/s | x one | efficiency | all-reduces in a step | alone "
          "| messages, bytes | format |\n" + "|---" * 11 + "|")
    for preset in args.presets:
        scaling(preset, args)
    print("\n| preset | plain, ms a step | a team of one | ratio of each pair of turns, median | quartiles |\n"
          + "|---" * 5 + "|")
    for preset in args.presets:
        result = run_processes("overhead", 1, preset, PRESETS[preset].batch_size, args.threads, 2 * args.seconds)
        ratios = [b / a for a, b in zip(result["plain"], result["joined"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"| {preset} | {1e3 * statistics.median(result['plain']):.3f} | {1e3 * statistics.median(result['joined']):.3f} "
              f"| {middle:.4f} | {low:.4f} - {high:.4f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["quick", "course"], choices=list(PRESETS))
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--threads", type=int, default=1, help="of each process, on a processor")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row")
    parser.add_argument("--model", action="store_true", help="measure nothing: print estimates for other machines")
    parser.add_argument("--measure", nargs=6, help=argparse.SUPPRESS)  # for torchrun
    args = parser.parse_args()
    if args.measure:
        measure(*args.measure)
    elif args.model:
        scale_model.report()
    else:
        report(args)


if __name__ == "__main__":
    main()
