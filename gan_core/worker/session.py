"""One session of one run: start up, then train, execute commands, report and save, until something ends it.

Locks, logs and how a failure is written down are left to `process`, everything before the first step to `startup`. Of several
processes rank 0 runs the session, and the others follow its `coordinator`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from ..data.types import Cancelled
from ..messages import Message, message, os_reason
from ..runs import checkpoint
from ..runs.limits import reached_limits
from ..runs.run import Run
from ..runs.status import Beliefs, Probe
from ..training.trainer import Metrics, Trainer
from .best_checkpoint import BestCheckpoint
from .commands import Commands
from .coordinator import NETWORKS, Coordinator
from .metrics_writer import Diverged
from .recorder import Recorder
from .speed_meter import SpeedMeter
from .startup import Prepared, Startup, tuned_knobs
from .status_writer import StatusWriter

REPORT = 0.125  # seconds between reports while training: metrics and status at 8 Hz
POLL = 0.02  # seconds between two looks for commands while paused
BURST = 1.0  # seconds after single steps in which more of them are expected


class Session:
    """What one worker process does with a run, from the first look at its folder to the last status."""

    def __init__(self, run: Run, status_writer: StatusWriter, threads: int, paused: bool, coordinator: Coordinator,
                 changes: dict[str, Any] | None = None) -> None:
        """changes: live fields that are in force from the first step of this session on."""
        self.run, self.status_writer, self.paused, self.coordinator = run, status_writer, paused, coordinator
        self._changes = changes or {}
        self.commands = Commands(self)
        self.stop_requested = False
        self.pending_steps: tuple[str, int] | None = None
        self._single_steps: tuple[str, int, Beliefs | None] | None = None  # (network, step, probe) where they began
        self._continued = True  # whether more of the same single steps would be reported together with the last
        self._probed = 0.0  # when the last single steps were over
        self.elapsed = 0.0  # seconds of training, earlier sessions included
        self._trainer: Trainer | None = None
        self._threads = threads
        self._speed = SpeedMeter()
        self._reported = self._polled = 0.0

    @property
    def trainer(self) -> Trainer:
        assert self._trainer is not None, "there is no trainer before the startup is over"
        return self._trainer

    @property
    def step_count(self) -> int:
        return self.status_writer.status.step if self._trainer is None else self._trainer.step_count

    @property
    def ending(self) -> bool:
        """Whether this process, or another one that trains with it, was asked to end."""
        return self.stop_requested or self.coordinator.stop_requested

    def stop(self) -> None:
        """Save and end after the current step. Safe in a signal handler."""
        self.stop_requested = True

    # The course of a session, from top to bottom.

    def train_to_end(self) -> None:
        """Start up, train and execute commands until the run finishes or is stopped. Raises what makes it fail."""
        try:
            self._start()
        except Cancelled:
            self.coordinator.end(0)  # as in `_end`: SIGTERM may be torchrun's, because another process is gone
            self.status_writer.write("stopped", progress=None)
            return
        if self._changes:
            self.tune(self._changes)
        self._write_first_outputs()
        while not self.ending:
            self.commands.execute_pending()
            if self.ending:
                break
            if self._finished():
                self._end("finished")
                return
            self._go_on()
        self._end("stopped")

    def _go_on(self) -> None:
        """Make some steps and report them or, where the run is paused, measure or wait for a moment."""
        if self.paused:
            self.coordinator.keep_alive()
            if not self._measure_at_rest():
                time.sleep(POLL)
            return
        self.make_steps(*(self.pending_steps or ("both", 0)))
        if self.pending_steps and self.pending_steps[1] <= 0:
            self.pause()
            return
        self._report()

    def _start(self) -> None:
        """Everything before the first step. Raises Cancelled for a stop meanwhile."""
        self._adopt(Startup(self.run, self.status_writer, self.coordinator, self._threads, self._cancelled).prepare())

    def _adopt(self, prepared: Prepared) -> None:
        """Take the trainer over, with what measures it and what writes its results."""
        run, status = self.run, self.status_writer.status
        self._trainer, self.thread_tuner, self.elapsed = prepared.trainer, prepared.thread_tuner, prepared.elapsed
        seqs = [frame.seq for frame in run.frames()]
        self.best = BestCheckpoint(run, self.trainer, self.status_writer.write, self.elapsed)
        self.recorder = Recorder(run, self.trainer, status.life, max([status.seq, *seqs]), status.live)
        self._attempt("curves", lambda: self.recorder.mark_restored({}, self.elapsed))

    def _cancelled(self) -> bool:
        """Whether a stop came before the startup was over; polls the commands a few times a second."""
        if time.monotonic() - self._polled >= REPORT:
            self._polled = time.monotonic()
            self.coordinator.keep_alive()
            self.commands.execute_pending(only="stop")
        return self.ending

    def _write_first_outputs(self) -> None:
        """What the page shows first, and a checkpoint to come back to."""
        if not self.run.real_path.exists():
            self._attempt("reals", self.recorder.write_real)
        self._write_outputs()
        self.publish("paused" if self.paused else "running", probe=self._probe() if self.paused else None)
        if self.status_writer.status.checkpoint_step < 0:
            self.save()

    def _finished(self) -> bool:
        return not self.paused and bool(reached_limits(self.trainer.config, self.trainer.step_count, self.elapsed))

    def steps_refusal(self, network: str) -> Message | None:
        """Why single steps of this network, or "both", cannot be made now; None where they can."""
        return None

    def begin_single_steps(self, network: str) -> None:
        """Single steps follow, and then a pause, which says what they did.

        Those of one network are reported together, press after press: the effect of a single one is lost in the rounding.
        """
        last = self.status_writer.status.probe  # of the networks as they are: nothing has moved since the pause
        if last is not None and last["network"] == network and self._continued:
            self._single_steps = (network, self.step_count - last["steps"], last["before"])
        else:
            self._single_steps = (network, self.step_count, last and last["after"])
        self._continued = True

    def _probe(self) -> Probe | None:
        """What the single steps before this pause did; None where the networks are not numbers any more."""
        single, self._single_steps = self._single_steps, None
        after = self._beliefs()
        if after is None:
            return None
        if single is None:
            return Probe(network="", steps=0, before=None, after=after)
        network, step, before = single
        self._probed = time.monotonic()
        return Probe(network=network, steps=self.step_count - step, before=before, after=after)

    def _beliefs(self) -> Beliefs | None:
        real, fake = self.trainer.probe()
        return Beliefs(real=round(real, 5), fake=round(fake, 5)) if math.isfinite(real + fake) else None

    def make_steps(self, network: str, limit: int = 0) -> int:
        """Make some steps, at most `limit` unless that is 0; returns how many.

        One process makes one step, several make as many as take a tenth of a second.
        """
        config, count = self.trainer.config, 0
        if config.max_steps:
            left = max(1, config.max_steps - self.trainer.step_count)
            limit = min(limit or left, left)
        for _ in self.coordinator.steps(network, limit):
            self._make_step(network)
            count += 1
        if self.pending_steps:
            self.pending_steps = (network, self.pending_steps[1] - count)
        return count

    def _make_step(self, network: str) -> Metrics:
        started = time.monotonic()
        metrics = getattr(self.trainer, NETWORKS[network])()
        seconds = time.monotonic() - started
        self.elapsed += seconds
        self.recorder.add(metrics, self.elapsed)
        if network == "both" and (change := self.thread_tuner.record(self.trainer.config.batch_size, seconds)):
            self._record_threads(*change)
        return metrics

    def _record_threads(self, old: int, new: int) -> None:
        """Another number of threads sums in another order: from this step on the run cannot be repeated bit for bit."""
        self.trainer.choices = dataclasses.replace(self.trainer.choices, threads=new)
        self._attempt("curves", lambda: self.recorder.mark("threads", {"threads": [old, new]}, self.elapsed))
        self.publish(threads=new, exact=False)

    def _end(self, state: str) -> None:
        self.coordinator.end(0)  # before the status is written: a process that lost the others has neither finished nor stopped
        self._write_outputs()
        if self.status_writer.status.checkpoint_step != self.trainer.step_count:
            self.save()
        self.status_writer.clear_notices(but="saving")
        self.publish(state)

    # Reports.

    def _report(self) -> None:
        """Write whatever is due. The time it takes counts as training time: a person waits for it as well."""
        started = time.monotonic()
        if started - self._reported < REPORT:
            return
        speed = self._speed.add(started, self.trainer.images_seen)
        self._attempt("curves", self.recorder.flush)
        if self.recorder.frames.due():
            self._attempt("samples", self.recorder.write_frame)
        if self.recorder.live.due():
            self._attempt("generator", self.recorder.write_live)
        if self.recorder.checkpoints.due():
            self.save()
        self._attempt("measures", lambda: self.best.run_slice(self.recorder, self.elapsed))
        self.elapsed += time.monotonic() - started
        self.publish(speed=self.status_writer.status.speed if speed is None else speed)
        self._reported = time.monotonic()

    def publish(self, state: str = "", **fields: Any) -> None:
        """Write the status, with a new state unless that is "" and with these fields changed."""
        self.status_writer.write(state, step=self.trainer.step_count, images=self.trainer.images_seen,
                                 elapsed=round(self.elapsed, 3), seq=self.recorder.seq, live=self.recorder.live_number, **fields)

    def _write_outputs(self) -> None:
        """Write curves, samples and the live file up to this step, whether or not they are due. Publish after it."""
        for what, action in (("curves", lambda: self.recorder.flush(everything=True)),
                             ("samples", self.recorder.write_frame), ("generator", self.recorder.write_live)):
            self._attempt(what, action)

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        """Do something that writes: a disk that refuses is a notice. Raises Diverged where a weight is not a number."""
        try:
            self.status_writer.attempt(what, action)
        except checkpoint.CheckpointError as error:
            raise Diverged(self.trainer.step_count) from error

    def _measure_at_rest(self) -> bool:
        """Measure a paused run for one slice, so that what is shown has its number; whether there was anything to measure.

        Between two slices commands are looked for. Single steps in quick succession are over when the next one is late.
        """
        measuring = False

        def measure() -> None:
            nonlocal measuring
            measuring = self.best.run_paused_slice(self.recorder, self.elapsed)

        if time.monotonic() - self._probed >= BURST:
            self._attempt("measures", measure)
        return measuring

    # What commands do; see `commands.Steerable`.

    def save(self) -> Message | None:
        """Write a checkpoint now; returns the notice that says why that failed, else None."""
        last = self.status_writer.status.checkpoint_step
        try:
            step = self.recorder.save(self.elapsed)
        except OSError as error:
            kept = message("kept_step", step=last) if last >= 0 else message("kept_none")
            notice = message("notice_saving", reason=os_reason(error), kept=kept)
            self.recorder.checkpoints.record(time.monotonic())
            self.status_writer.set_notices("saving", notice)
            return notice
        self.status_writer.set_notices("saving")
        self.status_writer.write(checkpoint_step=step)
        return None

    def pause(self) -> None:
        """Pause at this step; its samples and networks are written before the state."""
        self.paused, self.pending_steps = True, None
        self._speed.clear()
        self._write_outputs()
        self.publish("paused", probe=self._probe())

    def tune(self, changes: dict[str, Any]) -> None:
        """Change knobs, mark that on the curves and save. Raises ValueError, one sentence, before anything changes."""
        changed = self.trainer.tune(**changes)
        if changed:
            self._continued = False  # what follows is made with other knobs
            self.coordinator.broadcast_state(self.trainer)
            self._attempt("curves", lambda: self.recorder.mark("tune", changed, self.elapsed))
            self.save()
            self.publish(tuned=tuned_knobs(self.run.config, self.trainer.config))

    def restore(self) -> None:
        """Go back to the best checkpoint as if a new session began there, and pause. Raises CheckpointError or OSError."""
        best, changes = self.best.restore()
        self.coordinator.broadcast_state(self.trainer)
        self.elapsed = float(best.metadata["elapsed"])
        life = self.status_writer.status.life + 1
        self.status_writer.write(life=life, checkpoint_step=best.step, tuned=tuned_knobs(self.run.config, self.trainer.config))
        self.recorder = Recorder(self.run, self.trainer, life, self.recorder.seq, self.recorder.live_number)
        self._attempt("curves", lambda: self.recorder.mark_restored(changes, self.elapsed))
        self._single_steps = None  # they were of the state that has been left
        self.pause()
