"""The quality of a run: when to measure, what is written of it, and the best generator, kept to go back to.

It decides by a share of the training time and by the rank of a measurement; what is measured is left to `Evaluator`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch

from ..config import LIVE
from ..evaluation.evaluator import MIN_REALS, Evaluator, Measurement
from ..runs import checkpoint
from ..runs.checkpoint_index import BEST, read_pointer, restore_best
from ..runs.run import Run
from ..runs.status import Best
from ..training.trainer import Trainer
from .recorder import CheckpointMetadata, Recorder, checkpoint_metadata

MIN_CREDIT = 0.03  # seconds that must be saved up before a slice, which takes about 0.02
MAX_CREDIT = 1.0  # seconds of measuring that may be saved up, so that a share turned up late does not stop the training


class BestCheckpoint:
    """The measuring of one session. `run_slice` between two steps takes its share of the elapsed time and no more.

    A paused run is measured once, by `run_paused_slice`: nothing is trained that could be slowed down. Where it waits is a state
    of the run like any other, also after steps of one network alone, and may turn out its best.

    A measurement is of the step at which it began. If it turns out best, the state of that very step is saved; it is
    copied in memory when the measurement begins, which takes some milliseconds. Writing a checkpoint at every beginning
    instead costs several times as much, and measuring only where a checkpoint is due would mean every half minute.
    `write_status(best=..., checkpoint_step=...)` changes the run's status.
    """

    def __init__(self, run: Run, trainer: Trainer, write_status: Callable[..., None], elapsed: float) -> None:
        self.run, self.trainer, self._write_status = run, trainer, write_status
        self.evaluator = Evaluator(trainer, floor=run.floor(), on_freeze=self._capture)
        self.seconds_spent = 0.0  # in this session
        self._credit, self._credited_at, self._elapsed = 0.0, elapsed, elapsed
        self._state: dict[str, torch.Tensor] = {}
        self._metadata: CheckpointMetadata | None = None
        self._best = self._known_best()  # (measure, rank)
        self._measured: int | None = None  # the newest step whose measuring is over; None: not looked up yet

    def _known_best(self) -> tuple[str, list[float]] | None:
        """(measure, rank) of best.json, which is deleted if its file is gone or if this session begins before its step."""
        try:
            best = read_pointer(self.run.checkpoint_folder, BEST)
        except checkpoint.CheckpointError:
            best = None
        if best is None or best["step"] > self.trainer.step_count or not (self.run.checkpoint_folder / best["file"]).exists():
            (self.run.checkpoint_folder / BEST).unlink(missing_ok=True)
            self._write_status(best=None)
            return None
        self._write_status(best={name: best.get(name) for name in ("step", "name", "value")})
        return best.get("name", ""), list(best.get("rank", []))

    # Measuring.

    def run_slice(self, recorder: Recorder, elapsed: float) -> None:
        """Measure for one slice if there is credit for it. `elapsed`: seconds of training until now. Raises OSError."""
        share, self._elapsed = self.trainer.config.measure_share, elapsed
        self._credit = min(MAX_CREDIT, self._credit + share * max(0.0, elapsed - self._credited_at))
        self._credited_at = elapsed
        if not share or self._credit < MIN_CREDIT:
            return
        started = time.monotonic()
        try:
            self._advance(recorder)
        finally:
            seconds = time.monotonic() - started
            self.seconds_spent, self._credit = self.seconds_spent + seconds, self._credit - seconds

    def run_paused_slice(self, recorder: Recorder, elapsed: float) -> bool:
        """Measure for one slice unless the step of this paused run has been measured; whether there was anything to do.

        A measurement that was under way is completed first. Raises OSError.
        """
        step, images = self.trainer.step_count, self.trainer.images
        if not step or not self.trainer.config.measure_share or len(images) < MIN_REALS:
            return False
        if self._measured is None:
            self._measured = max((record["step"] for record in self.run.metrics() if "quality" in record), default=0)
        if self._measured >= step and self.evaluator.floor is not None:
            return False
        self._elapsed = elapsed
        self._advance(recorder)
        return True

    def _advance(self, recorder: Recorder) -> None:
        """One slice of measuring, and what comes of it."""
        under_way, compared = self._metadata, self.evaluator.compared
        try:
            measurement = self.evaluator.advance()
        finally:
            if under_way is not None and self.evaluator.compared > compared:
                self._measured = under_way["step"]  # also where its values are no numbers: another try would find no others
        if self.evaluator.floor is not None and not self.run.floor_path.exists():
            self.run.write_file(self.run.floor_path, json.dumps(self.evaluator.floor).encode())
        if measurement is not None:
            self._record(measurement, recorder)

    @torch.no_grad()
    def _capture(self) -> None:
        """Copy the whole state of training at this step, into buffers that are reused."""
        for name, tensor in self.trainer.state_dict().items():
            if name in self._state:
                self._state[name].copy_(tensor)
            else:
                self._state[name] = tensor.detach().clone()
        self._metadata = checkpoint_metadata(self.trainer, self._elapsed)

    def _record(self, measurement: Measurement, recorder: Recorder) -> None:
        """Write the measurement, and the captured state as the best checkpoint if none ranked lower."""
        suite = self.evaluator.suite
        assert suite is not None and self._metadata is not None, "a measurement begins with both"
        step, quality, rank = measurement.step, measurement.quality, list(measurement.rank)
        recorder.write_quality(step, measurement.images, self._metadata["elapsed"], quality, measurement.histogram)
        name, best = suite.headline, self._best
        if best is not None and best[0] == name and rank >= best[1]:
            return
        newest = recorder.save_best(self._state, self._metadata, name, quality[name], rank)
        self._best = name, rank
        self._write_status(best=Best(step=step, name=name, value=quality[name]), checkpoint_step=newest)

    # Going back.

    def restore(self) -> tuple[checkpoint.Checkpoint, dict[str, list[Any]]]:
        """Put the trainer back to its best checkpoint, knobs included; returns that and the knobs that changed.

        latest.json points there from then on. Raises CheckpointError or OSError before anything changes.
        """
        self.evaluator.cancel()
        restore_best(self.run.checkpoint_folder, self.trainer.step_count)
        best = checkpoint.newest_valid(self.run.checkpoint_folder)
        assert best is not None
        saved = best.metadata["config"]
        changes = self.trainer.tune(**{name: saved[name] for name in LIVE if name in saved})
        self.trainer.load_state_dict(best.tensors)
        self._measured = best.step
        return best, changes
