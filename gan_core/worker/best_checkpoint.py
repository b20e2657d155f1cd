"""The quality of a run as it goes: when to measure, what is written of it, the best generator kept and gone back to.

It decides by a share of the training time and by `Evaluator`'s rank; it makes no training step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch

from ..config import LIVE
from ..evaluation.evaluator import Evaluator, Measurement
from ..runs import checkpoint
from ..runs.checkpoint_index import BEST, read_pointer, restore_best
from ..runs.run import Run
from ..training.trainer import Trainer
from .recorder import Recorder, checkpoint_metadata

MIN_CREDIT = 0.03  # seconds that must be saved up before a slice, which takes about 0.02
MAX_CREDIT = 1.0  # seconds of measuring that may be saved up, so that a share turned up late does not stop the training


class BestCheckpoint:
    """One life's measuring. Give it a `turn` between two steps; it takes its share of the elapsed time and no more.

    A measurement speaks of the step at which it began. What is kept if it turns out best is the state of that very step,
    copied in memory when the measurement begins: some milliseconds each time. Writing a checkpoint at every beginning
    instead costs several times as much, and measuring only where a checkpoint is due would mean every half minute.
    `tell(best=..., checkpoint_step=...)` puts news into the status.
    """

    def __init__(self, run: Run, trainer: Trainer, tell: Callable[..., None], elapsed: float) -> None:
        self.run, self.trainer, self._write_status = run, trainer, tell
        self.evaluator = Evaluator(trainer, floor=run.floor(), on_freeze=self._capture)
        self.seconds_spent = 0.0  # seconds, in this life
        self._saved, self._then, self._now = 0.0, elapsed, elapsed
        self._state: dict[str, torch.Tensor] = {}
        self._notes: dict[str, Any] = {}
        self._best = self._known_best()

    def _known_best(self) -> dict[str, Any] | None:
        """An earlier life's best, unless this life begins before it."""
        try:
            best = read_pointer(self.run.checkpoint_folder, BEST)
        except checkpoint.CheckpointError:
            best = None
        if best is None or best["step"] > self.trainer.step_count or not (self.run.checkpoint_folder / best["file"]).exists():
            (self.run.checkpoint_folder / BEST).unlink(missing_ok=True)
            self._write_status(best=None)
            return None
        self._write_status(best={name: best.get(name) for name in ("step", "name", "value")})
        return best

    # Measuring.

    def run_slice(self, recorder: Recorder, elapsed: float) -> None:
        """Perhaps a slice of measuring. `elapsed`: seconds of training so far, this included. Raises OSError for the disk."""
        share, self._now = self.trainer.config.measure_share, elapsed
        self._saved = min(MAX_CREDIT, self._saved + share * max(0.0, elapsed - self._then))
        self._then = elapsed
        if not share or self._saved < MIN_CREDIT:
            return
        began = time.monotonic()
        try:
            found = self.evaluator.advance()
            if self.evaluator.floor is not None and not self.run.floor_path.exists():
                self.run.write_file(self.run.floor_path, json.dumps(self.evaluator.floor).encode())
            if found is not None:
                self._found(found, recorder)
        finally:
            took = time.monotonic() - began
            self.seconds_spent, self._saved = self.seconds_spent + took, self._saved - took

    @torch.no_grad()
    def _capture(self) -> None:
        """The whole state of training at this step, in buffers that are used again and again."""
        for name, tensor in self.trainer.state_dict().items():
            if name in self._state:
                self._state[name].copy_(tensor)
            else:
                self._state[name] = tensor.detach().clone()
        self._notes = checkpoint_metadata(self.trainer, self._now)

    def _found(self, found: Measurement, recorder: Recorder) -> None:
        recorder.write_quality(found.step, found.images, self._notes["elapsed"], found.quality, found.histogram)
        name = self.evaluator.suite.headline
        if self._best is not None and self._best.get("name") == name and list(found.rank) >= list(self._best.get("rank", [])):
            return
        about = {"name": name, "value": found.quality[name], "rank": list(found.rank)}
        newest = recorder.save_best(self._state, self._notes, about)
        self._best = {"step": found.step, **about}
        self._write_status(best={"step": found.step, "name": name, "value": found.quality[name]}, checkpoint_step=newest)

    # The way back.

    def restore(self) -> tuple[checkpoint.Checkpoint, dict[str, list[Any]]]:
        """Put the trainer back to its best checkpoint, knobs included: what was loaded, and what knobs have changed.

        latest.json points there from then on. Raises CheckpointError or OSError before anything changes.
        """
        self.evaluator.cancel()
        restore_best(self.run.checkpoint_folder)
        kept = checkpoint.newest_valid(self.run.checkpoint_folder)
        assert kept is not None
        saved = kept.metadata["config"]
        changes = self.trainer.tune(**{name: saved[name] for name in LIVE if name in saved})
        self.trainer.load_state_dict(kept.tensors)
        return kept, changes
