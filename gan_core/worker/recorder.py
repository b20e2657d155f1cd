"""What a worker leaves behind for others to see: metrics, sample grids, live networks, checkpoints, each at its own pace.

It writes through the run and never decides when training stops. What is shown may take at most 5% of the time.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from functools import cached_property
from typing import Any

import torch

from ..evaluation import plane
from ..networks.layers import state_without_spectral_norm
from ..runs import checkpoint
from ..runs.checkpoint_index import BEST
from ..runs.frames import Frame, kept_frames
from ..runs.run import Run
from ..training.pixel_range import grid, png
from ..training.trainer import METRIC_NAMES, Trainer

ROWS, COLUMNS = 8, 8  # of a sample grid; where there are classes, see `grid_layout`
MOST_CLASSES = 16  # that have columns of their own; of more the grid shows the first 64 in turn
REAL = 16  # real pictures beside it
DENSE = 4000  # steps; beyond it records are averaged over ever more of them, so that a long run's file stays small
MOST_RECORDS = 16  # in one report
KEPT_CHECKPOINTS = 2


class Diverged(ArithmeticError):
    """A loss or a weight is no longer a number; `step` is the first at which it showed."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The training diverged at step {step:,}: a loss or a weight is no longer a number.")
        self.step = step


class RateLimit:
    """When something is due again: at most every `interval` seconds and for at most `share` of the time."""

    def __init__(self, interval: float, share: float) -> None:
        self.interval, self.share = interval, share
        self._due = 0.0

    def due(self) -> bool:
        return time.monotonic() >= self._due

    def record(self, started: float) -> None:
        """It was done just now, begun at `started` (monotonic)."""
        now = time.monotonic()
        self._due = now + max(self.interval, (now - started) / self.share)


def grid_layout(classes: int) -> tuple[int, int]:
    """(columns of a sample grid, how many of them each class has): about eight columns, so that two classes fill a grid as ten
    do; 0 of each where there are no classes, or too many to stand side by side."""
    if not 0 < classes <= MOST_CLASSES:
        return COLUMNS, 0
    each = max(1, round(COLUMNS / classes))
    return classes * each, each


class Recorder:
    """One life's writing into a run folder. It counts what it has written: `seq` grids, `live_number` pairs of networks."""

    def __init__(self, run: Run, trainer: Trainer, life: int, seq: int, live: int) -> None:
        self.run, self.trainer, self.seq, self.live_number = run, trainer, seq, live
        self.frames, self.live, self.checkpoints = RateLimit(0.25, 0.035), RateLimit(1.0, 0.01), RateLimit(30.0, 0.005)
        self.checkpoints.record(time.monotonic())  # a life begins from a checkpoint, or makes its first one itself
        self._waiting: list[tuple[int, int, float, dict[str, torch.Tensor]]] = []
        self._values: list[dict[str, Any]] = []
        self._metrics_path = run.metrics_path(life)
        self._torn = False
        start = trainer.step_count
        self._append([{"life": life, "start_step": start}])
        for frame in run.frames():  # pictures of steps that are lost and will be made again
            if frame.step > start:
                frame.path.unlink(missing_ok=True)
        self._history = self._thinned(run.frames())

    @cached_property
    def _axes(self) -> plane.Axes | None:
        """Where points are shown; None for pictures."""
        trainer = self.trainer
        return plane.Axes.around(trainer.images, trainer.batches.mean, trainer.scale) if trainer.points else None

    # Metrics.

    def add(self, metrics: dict[str, torch.Tensor], elapsed: float) -> None:
        """The metrics of the step just made, tensors as they are: nothing waits for the device here."""
        self._waiting.append((self.trainer.step_count, self.trainer.images_seen, elapsed, metrics))

    def flush(self, everything: bool = False) -> None:
        """Look at what was added and write it. Raises Diverged at the first loss that is not finite."""
        if self._waiting:
            flat = torch.stack([value.float() for _, _, _, metrics in self._waiting for value in metrics.values()])
            values = iter(flat.tolist())  # the one moment that waits for the device
            bad = None
            for step, images, elapsed, metrics in self._waiting:
                found = {name: next(values) for name in metrics}
                if not all(map(math.isfinite, found.values())):
                    bad = bad or step
                elif bad is None:
                    self._values.append({"step": step, "images": images, "t": elapsed, **found})
            self._waiting = []
            if bad is not None:
                self._write_values(everything=True)
                raise Diverged(bad)
        self._write_values(everything)

    def _write_values(self, everything: bool) -> None:
        size = max(1 + self.trainer.step_count // DENSE, math.ceil(len(self._values) / MOST_RECORDS))
        records, group = [], []
        for value in self._values:
            if group and group[0].keys() != value.keys():  # a single network's step is not averaged with a whole one
                records.append(_mean(group))
                group = []
            group.append(value)
            if len(group) == size:
                records.append(_mean(group))
                group = []
        if everything and group:
            records.append(_mean(group))
            group = []
        self._values = group
        self._append(records)

    def _append(self, records: list[dict[str, Any]]) -> None:
        """Whole lines; a line torn by a full disk is closed before the next one."""
        if not records:
            return
        text = "".join(json.dumps(record) + "\n" for record in records)
        try:
            with open(self._metrics_path, "ab", buffering=0) as file:
                file.write((("\n" if self._torn else "") + text).encode())
            self._torn = False
        except OSError:
            self._torn = True
            raise

    def mark(self, kind: str, changes: dict[str, list[Any]], elapsed: float) -> None:
        """Something that changed the course of the run at this step, {name: [old, new]}: a line the curves will show."""
        self.flush(everything=True)
        step = self.trainer.step_count
        self._append([{"step": step, "t": round(elapsed, 3), "mark": {"kind": kind, "changes": changes}}])

    def mark_restored(self, changes: dict[str, list[Any]], elapsed: float) -> None:
        """Where the run has gone back to its best checkpoint, say so on the curves, once."""
        folder = self.run.checkpoint_folder
        with contextlib.suppress(checkpoint.CheckpointError):
            pointer = checkpoint.read_pointer(folder)
            if pointer is not None and pointer.pop("restored", False):
                self.mark("restore", changes, elapsed)
                checkpoint.write_pointer(folder, **pointer)

    def write_quality(self, step: int, images: int, elapsed: float, values: dict[str, float], histogram: list[float]) -> None:
        """A finished measurement, a line of the step it speaks of, which lies some steps back."""
        shares = {"histogram": histogram} if histogram else {}
        self._append([{"step": step, "images": images, "t": round(elapsed, 3), "quality": values, **shares}])

    # Pictures and networks for the page.

    def write_real(self) -> None:
        """real.png: 16 of the real pictures, drawn by the seed; real.json: some of the real points."""
        images = self.trainer.images
        order = torch.randperm(len(images), generator=self.trainer.draws.generator("real pictures", 0))
        if self._axes is not None:
            shown = images[order[:plane.NUM_REALS].to(images.device)]
            self.run.write_file(self.run.real_path.with_suffix(".json"), plane.to_json(plane.real_points(shown, self._axes)))
            return
        order = order[:REAL]
        self.run.write_file(self.run.real_path, png(grid(images[order.to(images.device)].cpu().numpy(), COLUMNS)))

    def write_frame(self) -> None:
        """The newest grid, or frame of points; older ones are thinned to a history at growing distances."""
        started, step = time.monotonic(), self.trainer.step_count
        path = self.run.frame_path(self.seq + 1, step, ".png" if self._axes is None else ".json")
        self.run.write_file(path, self._grid() if self._axes is None else self._points(self._axes))
        self.seq += 1
        self._history = self._thinned([*self._history, Frame(self.seq, step, path)])
        self.frames.record(started)

    def _grid(self) -> bytes:
        columns, each = grid_layout(self.trainer.classes)
        labels = torch.arange(ROWS * columns) % columns // each if each else None
        return png(grid(self.trainer.sample(ROWS * columns, labels).numpy(), columns))

    def _points(self, axes: plane.Axes) -> bytes:
        trainer, (z, _) = self.trainer, self.trainer.batches.fixed_z(plane.NUM_FAKES)
        return plane.to_json(plane.make_frame(trainer.G_ema, trainer.D, z, axes, fake_is_one=trainer.loss.fake_is_one,
                                         center=trainer.center()))

    def _thinned(self, frames: list[Frame]) -> list[Frame]:
        kept = kept_frames(frames)
        for frame in set(frames).difference(kept):
            frame.path.unlink(missing_ok=True)
        return kept

    def write_live(self) -> None:
        """The averaged generator and the discriminator in float16, for sliders and verdicts; the newest two are kept."""
        started, trainer, config = time.monotonic(), self.trainer, self.trainer.config
        tensors = {f"{part}.{name}": t.half() if t.is_floating_point() else t
                   for part, network in (("generator", trainer.G_ema), ("discriminator", trainer.D))
                   for name, t in state_without_spectral_norm(network).items()}
        notes = {"step": trainer.step_count, "networks": config.networks, "latent_dim": config.latent_dim, "loss": config.loss,
                 "fake_is_one": trainer.loss.fake_is_one, "center": trainer.center(), "shape": list(trainer.shape),
                 "classes": trainer.classes}
        if self._axes is not None:
            notes["axes"] = self._axes.to_dict()
        checkpoint.write(self.run.live_file(self.live_number + 1), tensors, notes, durable=False)
        self.live_number += 1
        for path in self.run.path.glob("live/*.safetensors"):
            if path.stem.isdigit() and int(path.stem) < self.live_number - 1:
                path.unlink(missing_ok=True)
        self.live.record(started)

    # Checkpoints.

    def save(self, elapsed: float) -> int:
        """The whole state of training on the disk; returns its step. Raises OSError, or Diverged where a weight is no number."""
        started, trainer = time.monotonic(), self.trainer
        self.flush(everything=True)
        notes = checkpoint_metadata(trainer, elapsed)
        path = checkpoint.step_path(self.run.checkpoint_folder, trainer.step_count)
        try:
            sha256 = checkpoint.write(path, trainer.state_dict(), notes)
        except checkpoint.CheckpointError as error:
            raise Diverged(trainer.step_count) from error
        checkpoint.write_pointer(self.run.checkpoint_folder, path.name, sha256, trainer.step_count)
        checkpoint.prune(self.run.checkpoint_folder, KEPT_CHECKPOINTS)
        self.checkpoints.record(started)
        return trainer.step_count

    def save_best(self, state: checkpoint.Tensors, notes: dict[str, Any], about: dict[str, Any]) -> int:
        """A state of some steps ago as the best checkpoint, kept until a better one comes; returns the newest one's step.

        `about` stands beside it in best.json. Raises OSError, or CheckpointError where a weight is no number.
        """
        folder, step = self.run.checkpoint_folder, int(notes["step"])
        path, latest = checkpoint.step_path(folder, step), None
        with contextlib.suppress(checkpoint.CheckpointError):  # a damaged one is replaced at the next save
            latest = checkpoint.read_pointer(folder)
        if latest is not None and latest["step"] == step and path.exists():
            sha256 = latest["sha256"]  # saved at this very step already
        else:
            sha256 = checkpoint.write(path, state, notes)
        if latest is not None and latest["step"] < step:  # otherwise a resume would begin before the best
            checkpoint.write_pointer(folder, path.name, sha256, step)
        checkpoint.write_pointer(folder, path.name, sha256, step, BEST, **about)
        checkpoint.prune(folder, KEPT_CHECKPOINTS)
        return step if latest is None else max(step, latest["step"])


def checkpoint_metadata(trainer: Trainer, elapsed: float) -> dict[str, Any]:
    """What stands beside the tensors of a checkpoint of this moment."""
    return {"config": trainer.config.to_dict(), "resolved": trainer.choices.to_dict(), "step": trainer.step_count,
            "images": trainer.images_seen, "elapsed": elapsed, "processes": trainer.team.size}


def _mean(group: list[dict[str, Any]]) -> dict[str, Any]:
    """One record for a group of steps: the last one's counts, the mean of everything else, and how many there were."""
    last = group[-1]
    record: dict[str, Any] = {"step": last["step"], "images": last["images"], "t": round(last["t"], 3)}
    record |= {name: float(f"{sum(r[name] for r in group) / len(group):.6g}") for name in METRIC_NAMES if name in last}
    return record | ({"n": len(group)} if len(group) > 1 else {})
