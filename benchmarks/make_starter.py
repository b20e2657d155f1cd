"""Trains the run that is shipped with the program: python -m benchmarks.make_starter

Writes checkpoints/starter-digits: the networks for the sliders (float16), at most 24 sample grids, thinned curves; below 3 MB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import torch

from gan_core.config import PRESETS
from gan_core.evaluation.evaluator import Evaluator
from gan_core.runs.metrics import SERIES
from gan_core.runs.run import Run
from gan_core.training.trainer import Trainer
from gan_core.worker.recorder import Recorder

ROOT = Path(__file__).parent.parent
LIMIT = 3_000_000  # bytes
GRIDS, MEASURED = 24, 24
RECORDS = 400


def steps_to_show(last: int) -> set[int]:
    """24 steps at growing intervals, the first and the last included: most happens early."""
    return {0, last, *(round(last ** (k / (GRIDS - 2))) for k in range(1, GRIDS - 1))}


def train(folder: Path, steps: int) -> Run:
    """A finished run of the default preset, as a worker would leave it."""
    config = PRESETS["quick"].replace(threads=1)
    run = Run.create(config, folder, preset="quick", name="starter-digits", kind="starter")
    torch.set_num_threads(1)
    trainer = Trainer(config)
    recorder = Recorder(run, trainer, life=1, seq=0, live=0)
    recorder.write_real()
    evaluator = Evaluator(trainer)
    show, elapsed = steps_to_show(steps), 0.0
    recorder.write_frame()
    while trainer.step_count < steps:
        started = time.monotonic()
        metrics = trainer.step()
        elapsed += time.monotonic() - started
        recorder.add(metrics, elapsed)
        if trainer.step_count in show:
            recorder.write_frame()
        if trainer.step_count % 16 == 0:
            recorder.flush()
        if trainer.step_count % (steps // MEASURED) == 0:
            result = evaluator.measure()
            recorder.write_quality(result.step, result.images, elapsed, result.quality, result.histogram)
        if trainer.step_count % 500 == 0:
            print(f"step {trainer.step_count:,} of {steps:,}, {trainer.images_seen / elapsed:,.0f} images/s", flush=True)
    recorder.flush(everything=True)
    recorder.write_live()
    run.write_file(run.floor_path, json.dumps(evaluator.floor).encode())
    status, chosen = run.stored_status(), trainer.choices
    status.state, status.step, status.images, status.elapsed = "finished", steps, trainer.images_seen, round(elapsed, 1)
    status.seq, status.live, status.life, status.speed = recorder.seq, recorder.live_number, 1, trainer.images_seen / elapsed
    status.device, status.precision, status.memory_format, status.threads = (
        chosen.device, chosen.precision, chosen.memory_format, chosen.threads)
    run.write_status(status)
    return run


def thin(run: Run) -> None:
    """Reduces the run to a starter: curves of at most RECORDS points, each the mean of its interval, and the measurements."""
    everything = run.metrics()
    records, measured = ([r for r in everything if ("quality" in r) == asked] for asked in (False, True))
    size = max(1, -(-len(records) // RECORDS))
    lines = ['{"life": 1, "start_step": 0}']
    for begin in range(0, len(records), size):
        part = records[begin:begin + size]
        means = {name: round(sum(r[name] for r in part) / len(part), 4) for name in SERIES}
        count = sum(r.get("n", 1) for r in part)
        lines.append(json.dumps({**{name: part[-1][name] for name in ("step", "images", "t")}, **means, "n": count}))
    run.metrics_path(1).write_text("\n".join([*lines, *map(json.dumps, measured)]) + "\n")
    for empty in ("control", "checkpoint"):
        shutil.rmtree(run.path / empty)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8000, help="two minutes of one core")
    parser.add_argument("--out", type=Path, default=ROOT / "checkpoints")
    args = parser.parse_args()
    shutil.rmtree(args.out / "starter-digits", ignore_errors=True)
    run = train(args.out, args.steps)
    thin(run)
    size = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    print(f"{run.path}: {size:,} bytes, {len(run.frames())} grids, {len(run.metrics())} records")
    if size > LIMIT or len(run.frames()) > GRIDS:
        sys.exit(f"that is more than {LIMIT:,} bytes or {GRIDS} grids.")


if __name__ == "__main__":
    main()
