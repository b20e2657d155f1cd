"""Writes a session's results into the run folder: metrics, sample grids, live files, checkpoints, each at its own rate.

When training stops is not decided here. What is shown may take at most 5% of the time.
"""

from __future__ import annotations

import contextlib
import json
import time
from functools import cached_property
from typing import Any, NotRequired, TypedDict

import torch

from .. import registry
from ..config import LIVE
from ..evaluation import plane
from ..networks.spectral_norm import state_without_spectral_norm
from ..runs import checkpoint, layout
from ..runs.checkpoint_index import BEST, LATEST, CheckpointPointer, left_step
from ..runs.files import sha256_of
from ..runs.frames import COLUMNS, VERDICTS, Frame, grid_labels, grid_layout, kept_frames
from ..runs.run import Run
from ..training.pixel_range import grid, png
from ..training.trainer import GeneratorName, Trainer
from .metrics_writer import Diverged, MetricsWriter
from .nearest import NearestReals, is_searched

REAL = 16  # real pictures beside it
KEPT_CHECKPOINTS = 2
# Each is written at most every INTERVAL seconds, and takes at most SHARE of the time; the shares add up to 5%.
FRAME_INTERVAL, FRAME_SHARE = 0.25, 0.035
LIVE_INTERVAL, LIVE_SHARE = 1.0, 0.01
CHECKPOINT_INTERVAL, CHECKPOINT_SHARE = 30.0, 0.005


class CheckpointMetadata(TypedDict):
    """What stands beside the tensors of a checkpoint."""

    config: dict[str, Any]
    resolved: dict[str, Any]  # ComputeChoices
    step: int
    images: int
    elapsed: float  # seconds of training
    processes: int


class LiveMetadata(TypedDict):
    """What stands beside the networks of a live file, see `latent.view`."""

    step: int
    networks: str
    latent_dim: int
    loss: str
    fake_is_one: bool
    center: float  # the logit at which D is undecided
    shape: list[int]
    classes: int
    axes: NotRequired[dict[str, Any]]  # of points only


class RateLimit:
    """When something is due again: at most every `interval` seconds and for at most `share` of the time."""

    def __init__(self, interval: float, share: float) -> None:
        self.interval, self.share = interval, share
        self._due = 0.0

    def due(self) -> bool:
        """Whether it may be done now; True before the first `record`."""
        return time.monotonic() >= self._due

    def record(self, started: float) -> None:
        """It was done just now, begun at `started` (monotonic)."""
        now = time.monotonic()
        self._due = now + max(self.interval, (now - started) / self.share)


class Recorder:
    """Writes for one session. It counts what it has written: `seq` grids, `live_number` live files."""

    def __init__(self, run: Run, trainer: Trainer, life: int, seq: int, live: int) -> None:
        self.run, self.trainer, self.seq, self.live_number = run, trainer, seq, live
        self.frames = RateLimit(FRAME_INTERVAL, FRAME_SHARE)
        self.live = RateLimit(LIVE_INTERVAL, LIVE_SHARE)
        self.checkpoints = RateLimit(CHECKPOINT_INTERVAL, CHECKPOINT_SHARE)
        self.checkpoints.record(time.monotonic())  # a session begins from a checkpoint, or writes its first one itself
        start_step = trainer.step_count
        self._metrics = MetricsWriter(run.metrics_path(life), life, start_step, self._left_step())
        for frame in run.frames():  # grids of steps that are lost and will be made again
            if frame.step > start_step:
                run.delete_frame(frame)
        self._history = self._thinned(run.frames())
        for folder in (layout.NOW_FRAMES, layout.NEAREST):  # a kill between the files of a frame
            for path in (run.path / folder).glob("*.png"):
                if not (run.path / layout.FRAMES / path.name).exists():
                    path.unlink(missing_ok=True)

    @cached_property
    def _axes(self) -> plane.Axes | None:
        """Where points are shown; None for pictures."""
        trainer = self.trainer
        return plane.Axes.around(trainer.images, trainer.batches.mean, trainer.scale) if trainer.points else None

    # Metrics.

    def add(self, metrics: dict[str, torch.Tensor], elapsed: float) -> None:
        """The metrics of the step just made, as tensors: nothing waits for the device here."""
        self._metrics.add(self.trainer.step_count, self.trainer.images_seen, elapsed, metrics)

    def flush(self, everything: bool = False) -> None:
        """Read what was added and write it. Raises Diverged at the first loss that is not finite."""
        self._metrics.flush(self.trainer.step_count, everything)

    def mark(self, kind: str, changes: dict[str, list[Any]], elapsed: float) -> None:
        """Mark a change of course at this step on the curves; changes: {name: [old, new]}."""
        self._metrics.mark(self.trainer.step_count, elapsed, kind, changes)

    def mark_restored(self, changes: dict[str, list[Any]], elapsed: float) -> None:
        """Mark, once, that the run has gone back to its best checkpoint, if latest.json says so."""
        folder = self.run.checkpoint_folder
        with contextlib.suppress(checkpoint.CheckpointError):
            pointer = checkpoint.read_pointer(folder)
            if pointer is not None and pointer.get("restored"):
                self.mark("restore", changes, elapsed)
                checkpoint.write_pointer(folder, pointer["file"], pointer["sha256"], pointer["step"])

    def _left_step(self) -> int | None:
        """The step that was left to go back to the one where this session begins; None of a session that goes on."""
        with contextlib.suppress(checkpoint.CheckpointError, OSError):
            pointer = checkpoint.read_pointer(self.run.checkpoint_folder)
            if pointer is not None and pointer["step"] == self.trainer.step_count:
                return left_step(pointer)
        return None

    def write_quality(self, step: int, images: int, elapsed: float, values: dict[str, float], histogram: list[float]) -> None:
        """Write a finished measurement of a step, which may be some steps ago."""
        self._metrics.write_quality(step, images, elapsed, values, histogram)

    # Pictures and networks for the page.

    def write_real(self) -> None:
        """real.png: 16 of the real pictures, drawn by the seed; real.json: some of the real points."""
        images = self.trainer.images
        if self._axes is not None:
            points = images[self._real_order[:plane.NUM_REALS]]
            self.run.write_file(self.run.real_path.with_suffix(".json"), plane.to_json(plane.real_points(points, self._axes)))
            return
        self.run.write_file(self.run.real_path, png(grid(images[self._real_order[:REAL]].cpu().numpy(), COLUMNS)))

    def write_frame(self) -> None:
        """Write the newest grid, or frame of points, and thin the older ones."""
        started, step = time.monotonic(), self.trainer.step_count
        path = self.run.frame_path(self.seq + 1, step, ".png" if self._axes is None else ".json")
        frame = Frame(self.seq + 1, step, path)
        if self._axes is not None:
            self.run.write_file(path, self._points(self._axes))
        else:
            fakes = self._fakes()
            grids = self._grids(fakes)
            # Before the frame itself, by which readers find them; the folders are absent in older runs.
            if "now" in grids:
                self.run.now_path(frame).parent.mkdir(exist_ok=True)
                self.run.write_file(self.run.now_path(frame), grids["now"])
            if self._nearest is not None:
                self.run.nearest_path(frame).parent.mkdir(exist_ok=True)
                self.run.write_file(self.run.nearest_path(frame), self._nearest.to_png(fakes))
            self.run.write_file(path, grids["average"])
        self.seq += 1
        self._history = self._thinned([*self._history, frame])
        self.frames.record(started)

    @cached_property
    def _nearest(self) -> NearestReals | None:
        """Finds the real one nearest to each fake; None where many pictures are learned, or a single one."""
        images = self.trainer.images
        return NearestReals(images) if not self.trainer.points and is_searched(images) else None

    def _fakes(self) -> dict[GeneratorName, torch.Tensor]:
        """The pictures of a grid by each generator, uint8 (N, C, H, W) on the CPU."""
        trainer, labels = self.trainer, torch.tensor(grid_labels(self.trainer.classes))
        names: tuple[GeneratorName, ...] = ("average", "now") if trainer.averaged else ("average",)
        return {name: trainer.sample(len(labels), labels, name) for name in names}

    def _grids(self, fakes: dict[GeneratorName, torch.Tensor]) -> dict[GeneratorName, bytes]:
        """A grid by each generator as PNG, with D's verdicts of this very step on its pictures and on the real ones beside it."""
        trainer, (columns, _), center = self.trainer, grid_layout(self.trainer.classes), self.trainer.center()
        labels, rows = torch.tensor(grid_labels(trainer.classes)), self._real_order[:REAL]
        real_labels = None if trainer.batches.labels is None else trainer.batches.labels[rows]
        reals = _percent(trainer.judge(trainer.images[rows], real_labels, center))
        grids: dict[GeneratorName, bytes] = {}
        for name, pictures in fakes.items():
            verdicts = {"fakes": _percent(trainer.judge(pictures, labels, center)), "reals": reals}
            grids[name] = png(grid(pictures.numpy(), columns), {VERDICTS: json.dumps(verdicts)})
        return grids

    @cached_property
    def _real_order(self) -> torch.Tensor:
        """Row numbers of the real ones, drawn by the seed: the first of them are shown."""
        images = self.trainer.images
        return torch.randperm(len(images), generator=self.trainer.draws.generator("real pictures", 0)).to(images.device)

    def _points(self, axes: plane.Axes) -> bytes:
        trainer, (z, _) = self.trainer, self.trainer.batches.fixed_z(plane.NUM_FAKES)
        now = trainer.G if trainer.averaged else None
        return plane.to_json(plane.make_frame(trainer.G_ema, trainer.D, z, axes, now=now, fake_is_one=trainer.loss.fake_is_one,
                                              center=trainer.center()))

    def _thinned(self, frames: list[Frame]) -> list[Frame]:
        kept = kept_frames(frames)
        for frame in set(frames).difference(kept):
            self.run.delete_frame(frame)
        return kept

    def write_live(self) -> None:
        """Both generators and the discriminator in float16, for sliders and verdicts; the newest two are kept."""
        started, trainer, config = time.monotonic(), self.trainer, self.trainer.config
        if config.networks == registry.NOTEBOOK:
            return  # no reader can build them
        networks = {"generator": trainer.G_ema, "discriminator": trainer.D} | ({"now": trainer.G} if trainer.averaged else {})
        tensors = {f"{part}.{name}": t.half() if t.is_floating_point() else t for part, network in networks.items()
                   for name, t in state_without_spectral_norm(network).items()}
        metadata = LiveMetadata(
            step=trainer.step_count, networks=config.networks, latent_dim=config.latent_dim, loss=config.loss,
            fake_is_one=trainer.loss.fake_is_one, center=trainer.center(), shape=list(trainer.shape), classes=trainer.classes)
        if self._axes is not None:
            metadata["axes"] = self._axes.to_dict()
        checkpoint.write(self.run.live_file(self.live_number + 1), tensors, {**metadata}, durable=False)
        self.live_number += 1
        for path in self.run.path.glob("live/*.safetensors"):
            if path.stem.isdigit() and int(path.stem) < self.live_number - 1:
                path.unlink(missing_ok=True)
        self.live.record(started)

    # Checkpoints.

    def save(self, elapsed: float) -> int:
        """Write the whole state of training; returns its step. Raises OSError, or Diverged where a weight is not a number.

        At the step of the best checkpoint only the knobs can differ from it: they stand beside it, and its file stays as it is.
        """
        started, trainer = time.monotonic(), self.trainer
        self.flush(everything=True)
        path = checkpoint.step_path(self.run.checkpoint_folder, trainer.step_count)
        best = self._best_of(trainer.step_count)
        try:
            sha256 = best["sha256"] if best is not None else checkpoint.write(
                path, trainer.state_dict(), {**checkpoint_metadata(trainer, elapsed)})
        except checkpoint.CheckpointError as error:
            raise Diverged(trainer.step_count) from error
        config, beside = trainer.config.to_dict(), {}
        if best is not None:
            beside["knobs"] = {name: config[name] for name in sorted(LIVE)}
        checkpoint.write_pointer(self.run.checkpoint_folder, path.name, sha256, trainer.step_count, LATEST, **beside)
        checkpoint.prune(self.run.checkpoint_folder, KEPT_CHECKPOINTS)
        self.checkpoints.record(started)
        return trainer.step_count

    def _best_of(self, step: int) -> CheckpointPointer | None:
        """best.json where it is of this step and its file is whole, else None."""
        folder = self.run.checkpoint_folder
        with contextlib.suppress(checkpoint.CheckpointError, OSError):
            best = checkpoint.read_pointer(folder, BEST)
            if best is not None and best["step"] == step:
                return best if sha256_of(folder / best["file"]) == best["sha256"] else None
        return None

    def save_best(self, state: checkpoint.Tensors, metadata: CheckpointMetadata,
                  name: str, value: float, rank: list[float]) -> int:
        """Write a state of some steps ago as the best checkpoint, until a better one comes; returns the newest one's step.

        name, value, rank: of its measurement. Raises OSError, or CheckpointError where a weight is not a number.
        """
        folder, step = self.run.checkpoint_folder, metadata["step"]
        path, latest = checkpoint.step_path(folder, step), None
        with contextlib.suppress(checkpoint.CheckpointError):  # a damaged one is replaced at the next save
            latest = checkpoint.read_pointer(folder)
        if latest is not None and latest["step"] == step and path.exists():
            sha256 = latest["sha256"]  # saved at this very step already
        else:
            sha256 = checkpoint.write(path, state, {**metadata})
        if latest is not None and latest["step"] < step:  # otherwise a resume would begin before the best
            checkpoint.write_pointer(folder, path.name, sha256, step)
        checkpoint.write_pointer(folder, path.name, sha256, step, BEST, name=name, value=value, rank=rank)
        checkpoint.prune(folder, KEPT_CHECKPOINTS)
        return step if latest is None else max(step, latest["step"])


def _percent(probabilities: torch.Tensor) -> list[int]:
    """(N,) in [0, 1] as whole percentages; 0 where a network has diverged."""
    return (100 * probabilities.nan_to_num(0.0)).round().int().tolist()


def checkpoint_metadata(trainer: Trainer, elapsed: float) -> CheckpointMetadata:
    """What stands beside the tensors of a checkpoint of this moment."""
    return CheckpointMetadata(
        config=trainer.config.to_dict(), resolved=trainer.choices.to_dict(), step=trainer.step_count,
        images=trainer.images_seen, elapsed=elapsed, processes=trainer.team.size)
